// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
)

// ErrBehind means that a cache has not heard yet of what we wrote or read
// ourselves. It soon will, and tells so by an event.
var ErrBehind = errors.New("the cache has not caught up with what was written or read live")

// patience is how long a cache may be behind before the API server is asked instead.
const patience = time.Second

// Memory remembers which versions our own writes made, and which live lists
// showed, so that a cache can be trusted where the only doubt is whether it has
// seen them. One process's Memory knows nothing of another's.
type Memory struct {
	clock  clock.PassiveClock
	scheme *runtime.Scheme

	mu     sync.Mutex
	writes map[object]written
}

type object struct {
	schema.GroupKind
	types.NamespacedName
}

type written struct {
	version string
	labels  labels.Set
	at      time.Time
	// gone: there was no such object any more as of version.
	gone bool
}

// NewMemory gives one that remembers nothing yet.
func NewMemory(clk clock.PassiveClock, scheme *runtime.Scheme) *Memory {
	return &Memory{clock: clk, scheme: scheme, writes: map[object]written{}}
}

// Client gives a client whose writes are remembered. It reads as c does. Of kinds
// that are only ever read live nothing is remembered: no cache would catch up, and
// what is remembered of them would be kept for good.
func (m *Memory) Client(c client.Client, live ...client.Object) client.Client {
	except := map[schema.GroupKind]bool{}
	for _, obj := range live {
		if gvk, err := apiutil.GVKForObject(obj, m.scheme); err == nil {
			except[gvk.GroupKind()] = true
		}
	}
	return remembering{c, m, except}
}

// Reader reads from a cache. While that is behind what is remembered the error is
// [ErrBehind]; when it stays behind, the API server is read instead.
func (m *Memory) Reader(cache, live client.Reader) client.Reader { return trusting{cache, live, m} }

// Live reads from the API server, and remembers what a cache has not heard of
// yet: whoever goes on from that must not see a cache say again what was so before.
func (m *Memory) Live(cache, live client.Reader) client.Reader { return noting{live, cache, m} }

// remember notes what a write answered, or a live list showed.
func (m *Memory) remember(obj client.Object) {
	gvk, err := apiutil.GVKForObject(obj, m.scheme)
	if err != nil || obj.GetResourceVersion() == "" {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	id := object{gvk.GroupKind(), client.ObjectKeyFromObject(obj)}
	// What is known already has been waited for; a list that was longer under way may be older.
	if known, ok := m.writes[id]; !ok || older(known.version, obj.GetResourceVersion()) {
		m.writes[id] = written{version: obj.GetResourceVersion(), labels: obj.GetLabels(), at: m.clock.Now()}
	}
}

// behind reports whether what was read is older than what we wrote, and for how
// long that has been so. What has caught up is forgotten.
func (m *Memory) behind(kind schema.GroupKind, key types.NamespacedName, version string) (time.Duration, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	w, ok := m.writes[object{kind, key}]
	switch {
	case !ok:
		return 0, false
	case w.gone && version != "" && !older(w.version, version), !w.gone && (version == "" || older(version, w.version)):
		return m.clock.Since(w.at), true
	}
	delete(m.writes, object{kind, key})
	return 0, false
}

// listed lists what is remembered of a kind that a list should hold, or should no more.
func (m *Memory) listed(kind schema.GroupKind, o client.ListOptions) []types.NamespacedName {
	m.mu.Lock()
	defer m.mu.Unlock()
	var keys []types.NamespacedName
	for id, w := range m.writes {
		if id.GroupKind == kind && (o.Namespace == "" || o.Namespace == id.Namespace) && (o.LabelSelector == nil || o.LabelSelector.Matches(w.labels)) {
			keys = append(keys, id.NamespacedName)
		}
	}
	return keys
}

// bury notes that an object that a cache may still show is gone as of a version;
// without one, as of what is known of it. What has been waited for already is not waited for anew.
func (m *Memory) bury(kind schema.GroupKind, key types.NamespacedName, as labels.Set, version string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	id := object{kind, key}
	known, ok := m.writes[id]
	switch {
	case !ok && version == "", ok && version != "" && !older(known.version, version):
		return
	case !ok:
		known = written{labels: as, at: m.clock.Now()}
	}
	known.gone = true
	if version != "" {
		known.version = version
	}
	m.writes[id] = known
}

// exhume takes that back: the object was found live, after it had only left a list.
func (m *Memory) exhume(kind schema.GroupKind, key types.NamespacedName) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.writes[object{kind, key}].gone {
		delete(m.writes, object{kind, key})
	}
}

// older compares resource versions, which are numbers that grow.
func older(a, b string) bool {
	x, errA := strconv.ParseUint(a, 10, 64)
	y, errB := strconv.ParseUint(b, 10, 64)
	if errA != nil || errB != nil {
		return a != b
	}
	return x < y
}

// remembering is a client whose writes are remembered.
type remembering struct {
	client.Client
	memory *Memory
	// except these kinds.
	except map[schema.GroupKind]bool
}

func (c remembering) Create(ctx context.Context, obj client.Object, opts ...client.CreateOption) error {
	return c.note(obj, c.Client.Create(ctx, obj, opts...))
}

func (c remembering) Update(ctx context.Context, obj client.Object, opts ...client.UpdateOption) error {
	return c.note(obj, c.Client.Update(ctx, obj, opts...))
}

func (c remembering) Patch(ctx context.Context, obj client.Object, patch client.Patch, opts ...client.PatchOption) error {
	return c.note(obj, c.Client.Patch(ctx, obj, patch, opts...))
}

func (c remembering) Apply(ctx context.Context, obj runtime.ApplyConfiguration, opts ...client.ApplyOption) error {
	err := c.Client.Apply(ctx, obj, opts...)
	if o, ok := obj.(client.Object); ok {
		return c.note(o, err)
	}
	return err //nolint:wrapcheck // as the client that it stands for
}

func (c remembering) Status() client.SubResourceWriter {
	return rememberingStatus{c.Client.Status(), c}
}

func (c remembering) note(obj client.Object, err error) error {
	if err != nil {
		return err
	}
	if gvk, err := apiutil.GVKForObject(obj, c.memory.scheme); err == nil && !c.except[gvk.GroupKind()] {
		c.memory.remember(obj)
	}
	return nil
}

// rememberingStatus is the same for statuses.
type rememberingStatus struct {
	client.SubResourceWriter
	client remembering
}

func (s rememberingStatus) Patch(ctx context.Context, obj client.Object, patch client.Patch, opts ...client.SubResourcePatchOption) error {
	return s.client.note(obj, s.SubResourceWriter.Patch(ctx, obj, patch, opts...))
}

// trusting reads a cache that is not behind our own writes.
type trusting struct {
	cache, live client.Reader
	memory      *Memory
}

// Get implements client.Reader.
func (t trusting) Get(ctx context.Context, key client.ObjectKey, obj client.Object, opts ...client.GetOption) error {
	gvk, err := apiutil.GVKForObject(obj, t.memory.scheme)
	if err != nil {
		return fmt.Errorf("read %s: %w", key, err)
	}
	err = t.cache.Get(ctx, key, obj, opts...)
	version := obj.GetResourceVersion()
	if err != nil {
		version = ""
	}
	since, behind := t.memory.behind(gvk.GroupKind(), key, version)
	switch {
	case !behind:
		return err //nolint:wrapcheck // as the reader that it stands for
	case since < patience:
		return fmt.Errorf("read %s: %w", key, ErrBehind)
	}
	switch err = t.live.Get(ctx, key, obj, opts...); {
	case apierrors.IsNotFound(err):
		t.memory.bury(gvk.GroupKind(), key, nil, "") // gone since
	case err == nil:
		t.memory.exhume(gvk.GroupKind(), key)
	}
	return err //nolint:wrapcheck // as the reader that it stands for
}

// List implements client.Reader.
func (t trusting) List(ctx context.Context, list client.ObjectList, opts ...client.ListOption) error {
	gvk, err := apiutil.GVKForObject(list, t.memory.scheme)
	if err != nil {
		return fmt.Errorf("list: %w", err)
	}
	kind := schema.GroupKind{Group: gvk.Group, Kind: gvk.Kind[:len(gvk.Kind)-len("List")]}
	if err := t.cache.List(ctx, list, opts...); err != nil {
		return err //nolint:wrapcheck // as the reader that it stands for
	}
	o := client.ListOptions{}
	o.ApplyOptions(opts)
	wanted := t.memory.listed(kind, o)
	if len(wanted) == 0 {
		return nil
	}
	found, err := versions(list)
	if err != nil {
		return err
	}
	stale := false
	for _, key := range wanted {
		since, behind := t.memory.behind(kind, key, found[key])
		if behind && since < patience {
			return fmt.Errorf("list %s: %w", kind.Kind, ErrBehind)
		}
		stale = stale || behind
	}
	if !stale {
		return nil
	}
	return t.listLive(ctx, kind, wanted, list, opts)
}

// listLive reads the API server, and notes what is gone since it was written.
func (t trusting) listLive(ctx context.Context, kind schema.GroupKind, wanted []types.NamespacedName, list client.ObjectList, opts []client.ListOption) error {
	if err := t.live.List(ctx, list, opts...); err != nil {
		return err //nolint:wrapcheck // as the reader that it stands for
	}
	found, err := versions(list)
	for _, key := range wanted {
		if found[key] == "" && err == nil {
			t.memory.bury(kind, key, nil, list.GetResourceVersion())
		}
	}
	return err
}

func versions(list client.ObjectList) (map[types.NamespacedName]string, error) {
	found := map[types.NamespacedName]string{}
	err := meta.EachListItem(list, func(o runtime.Object) error {
		item, err := meta.Accessor(o)
		if err != nil {
			return fmt.Errorf("read a list: %w", err)
		}
		found[types.NamespacedName{Namespace: item.GetNamespace(), Name: item.GetName()}] = item.GetResourceVersion()
		return nil
	})
	return found, err
}

// noting is a reader of the API server that remembers what it has shown.
type noting struct {
	client.Reader
	cache  client.Reader
	memory *Memory
}

// Get implements client.Reader.
func (n noting) Get(ctx context.Context, key client.ObjectKey, obj client.Object, opts ...client.GetOption) error {
	if err := n.Reader.Get(ctx, key, obj, opts...); err != nil {
		return err //nolint:wrapcheck // as the reader that it stands for
	}
	cached, ok := obj.DeepCopyObject().(client.Object)
	if !ok {
		return nil
	}
	err := n.cache.Get(ctx, key, cached, opts...)
	if client.IgnoreNotFound(err) != nil {
		return err //nolint:wrapcheck // as the cache that it asks
	}
	if err != nil || older(cached.GetResourceVersion(), obj.GetResourceVersion()) {
		n.memory.remember(obj)
	}
	return nil
}

// List implements client.Reader. An error of the cache is one of the list: what it
// does not say can't be compared, and a pass that is done again does no harm.
func (n noting) List(ctx context.Context, list client.ObjectList, opts ...client.ListOption) error {
	if err := n.Reader.List(ctx, list, opts...); err != nil {
		return err //nolint:wrapcheck // as the reader that it stands for
	}
	cached, ok := list.DeepCopyObject().(client.ObjectList)
	if !ok {
		return nil
	}
	if err := meta.SetList(cached, nil); err != nil {
		return fmt.Errorf("list what is cached: %w", err)
	}
	if err := n.cache.List(ctx, cached, opts...); err != nil {
		return err //nolint:wrapcheck // as the cache that it asks
	}
	heard, err := versions(cached)
	if err != nil {
		return err
	}
	if err := meta.EachListItem(list, func(o runtime.Object) error {
		obj, ok := o.(client.Object)
		if !ok {
			return nil
		}
		if v := heard[client.ObjectKeyFromObject(obj)]; v == "" || older(v, obj.GetResourceVersion()) {
			n.memory.remember(obj)
		}
		return nil
	}); err != nil {
		return err //nolint:wrapcheck // its own function's error
	}
	return n.missed(list, cached)
}

// missed notes what the cache shows and the API server had no more. What came
// after the list did is no such thing.
func (n noting) missed(list, cached client.ObjectList) error {
	there, err := versions(list)
	if err != nil {
		return err
	}
	return meta.EachListItem(cached, func(o runtime.Object) error { //nolint:wrapcheck // its own function's error
		obj, ok := o.(client.Object)
		if !ok || there[client.ObjectKeyFromObject(obj)] != "" || older(list.GetResourceVersion(), obj.GetResourceVersion()) {
			return nil
		}
		gvk, err := apiutil.GVKForObject(obj, n.memory.scheme)
		if err != nil {
			return fmt.Errorf("remember what is gone: %w", err)
		}
		n.memory.bury(gvk.GroupKind(), client.ObjectKeyFromObject(obj), obj.GetLabels(), list.GetResourceVersion())
		return nil
	})
}
