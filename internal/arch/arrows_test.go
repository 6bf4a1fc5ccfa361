// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package arch

// A pattern is a path below the module's root, or one that ends in /* and
// stands for everything below it.

// arrows is the complete list of imports inside this module. The first row that
// matches a package counts; what its row does not name, it may not import, and
// a package without a row fails. A new row needs a design note.
var arrows = []arrow{
	{"apis/*", ""},

	{"routers/traffic", "apis/*"},
	{"routers/routertest", "apis/* routers routers/traffic internal/kube internal/names internal/testing/*"},
	{"routers/*", "apis/* routers routers/traffic internal/kube internal/names"},
	{"routers", "apis/* routers/traffic internal/kube internal/names"},

	{"analysis/stats", ""},
	{"analysis/judge", "apis/* analysis/stats"},
	{"analysis/schedule", "apis/*"},
	{"analysis/presets", "apis/*"},
	{"analysis/providertest", "apis/* analysis internal/testing/*"},
	// Beyond the design: what the providers share that measure over HTTP.
	{"analysis/endpoint", "analysis"},
	{"analysis/lokitest", "apis/* analysis analysis/loki"},
	{"analysis/*", "apis/* analysis analysis/endpoint"},
	{"analysis", "apis/*"},

	{"controllers/rollout/plan", "apis/* routers/traffic internal/names"},
	{"controllers/rollout", "apis/* controllers/rollout/plan routers routers/traffic internal/kube internal/names"},
	{"controllers/analysisrun", "apis/* analysis analysis/judge analysis/schedule analysis/presets internal/kube internal/names"},
	{"controllers/*", "apis/* internal/kube internal/names"},
	// Beyond the design: setup.go hands the registries on, so it names their types.
	{"controllers", "apis/* controllers/* routers analysis internal/kube"},

	{"internal/names", "apis/*"},
	{"internal/kube", "apis/*"},
	{"internal/convert", "apis/*"},
	{"internal/view", "apis/* routers/traffic controllers/rollout/plan internal/names"},
	{"internal/world", "apis/* routers/traffic controllers/rollout/plan internal/names"},
	{"internal/dashboard", "apis/* internal/view internal/kube ui"},
	{"config/crd", ""},
	{"internal/admission", "apis/* config/crd"},
	{"internal/cli", "apis/* internal/admission internal/view internal/world internal/convert internal/dashboard internal/kube internal/names " +
		"controllers/rollout/plan analysis/judge analysis/schedule " +
		// Beyond the design: backtest replays, see docs/design/0007-backtest-and-providers.md.
		"analysis analysis/stats analysis/presets analysis/prometheus"},
	{"internal/docs", "apis/* config/crd internal/cli"},
	{"internal/testing/*", "apis/* internal/kube e2e/cluster e2e/cluster/*"},
	{"internal/arch", ""},
	{"ui", ""},

	// The one place that names concrete routers and providers.
	{"cmd/sluice", "apis/* analysis analysis/* routers routers/* controllers controllers/* " +
		"internal/kube internal/names internal/view internal/convert internal/world internal/cli internal/dashboard"},
	{"cmd/kubectl-sluice", "internal/cli"},

	{"e2e", "*"},
	{"e2e/*", "*"},
	{"hack/statsim", "analysis/stats"},
	{"hack/statemachine", "apis/* controllers/rollout/plan"},
	{"hack/*", ""},
}

// inTests is what _test.go files may import on top of their package's row. Here
// every row that matches counts.
var inTests = []arrow{
	{"*", "internal/testing/* internal/world routers/routertest analysis/providertest"},
	// The API tier runs whole controllers, which need a real router and a real provider.
	{"controllers controllers/rollout controllers/analysisrun", "controllers routers/* analysis analysis/*"},
}

// testKit is what no production file may import, whatever its row says.
const testKit = "internal/testing/* routers/routertest analysis/providertest"

// testKitUsers may import the test kit in any of their files.
const testKitUsers = testKit + " e2e e2e/*"

// pure lists the packages that compute and touch nothing: no cluster, no clock,
// no files, no chance. Their test files are free to.
const pure = "routers/traffic controllers/rollout/plan internal/view internal/convert internal/names " +
	"analysis/stats analysis/judge analysis/schedule analysis/presets"

// outside lists imports from outside the module that are forbidden, with all
// that lies below them. Test files are exempt.
var outside = []ban{
	{
		in: pure,
		imports: "context k8s.io/client-go sigs.k8s.io/controller-runtime github.com/go-logr go.uber.org/zap " +
			"os math/rand log",
		why: "a pure package gets everything as an argument and returns everything as a value",
	},
	{
		in:      "apis/*",
		imports: "k8s.io/client-go sigs.k8s.io/controller-runtime sigs.k8s.io/gateway-api istio.io github.com go.uber.org",
		why:     "apis imports apimachinery and k8s.io/api only, so that anybody can import it",
	},
	{
		in:      "apis/* routers routers/* analysis analysis/* controllers controllers/* internal/*",
		imports: "go.uber.org/zap sigs.k8s.io/controller-runtime/pkg/log/zap",
		why:     "only cmd chooses a logger; everything else takes a logr.Logger",
	},
	{
		in:      "apis/* routers routers/* analysis analysis/* controllers controllers/* cmd/* internal/kube internal/names internal/view internal/world internal/cli",
		imports: "k8s.io/apiserver k8s.io/apiextensions-apiserver/pkg/apiserver",
		why:     "only internal/admission holds the API server's own code, and only the plugin links it; see docs/design/0011-checked-before-it-is-played.md",
	},
}

// clocks lists, by import path, what reads or waits for a clock. No production
// file of a pure package may mention it.
var clocks = map[string]string{
	"time":                                 "Now Since Until After AfterFunc Sleep Tick NewTimer NewTicker",
	"k8s.io/apimachinery/pkg/apis/meta/v1": "Now NowMicro",
}

// arrow says what the packages that match from may import of this module.
type arrow struct {
	from string
	to   string
}

// ban forbids imports to the packages that match in.
type ban struct {
	in      string
	imports string
	why     string
}
