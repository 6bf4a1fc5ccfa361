// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/internal/view"
)

const listExample = `  kubectl sluice list
  kubectl sluice list -n shop
  kubectl sluice list -A        of all namespaces`

func newList(s *session) *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List rollouts and what each is waiting for",
		Long:    "List the rollouts of a namespace, one line each, with what each is doing or waiting for.\n\n" + readCodes,
		Example: listExample,
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return s.list(cmd.Context(), all) },
	}
	cmd.Flags().BoolVarP(&all, "all-namespaces", "A", false, "List the rollouts of all namespaces")
	return cmd
}

func (s *session) list(ctx context.Context, all bool) error {
	c, err := s.connect()
	if err != nil {
		return err
	}
	namespace := c.namespace
	if all {
		namespace = ""
	}
	rollouts, err := c.rollouts(ctx, namespace)
	if err != nil {
		return err
	}
	if len(rollouts) == 0 && !all && c.noNamespace(ctx) {
		return c.errNoNamespace(ctx)
	}
	if len(rollouts) == 0 {
		where := "namespace " + c.namespace + " (-A looks in all)"
		if all {
			where = "any namespace"
		}
		fmt.Fprintf(s.Err, "No Rollouts in %s.\n", where)
		return nil
	}
	return drawRows(s.Out, view.Rows(rollouts), all, s.Now())
}

func drawRows(out io.Writer, rows []view.Row, namespaces bool, now time.Time) error {
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	first := func(namespace string) string {
		if !namespaces {
			return ""
		}
		return namespace + "\t"
	}
	fmt.Fprintln(w, first("NAMESPACE")+"NAME\tSTRATEGY\tPHASE\tSTEP\tWEIGHT\tREADY\tIMAGE\tAGE\tMESSAGE")
	for _, r := range rows {
		fmt.Fprintf(w, "%s%s\t%s\t%s\t%s\t%s\t%d/%d\t%s\t%s\t%s\n", first(r.Namespace), r.Name, orDash(r.Strategy),
			orDash(string(r.Phase)), orDash(r.Step), percent(r.Weight), r.Ready, r.Desired, orDash(r.Image),
			age(metav1.NewTime(now), r.Created), r.Message)
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("write the list: %w", err)
	}
	return nil
}

func percent(weight *int32) string {
	if weight == nil {
		return "-"
	}
	return strconv.Itoa(int(*weight)) + " %"
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
