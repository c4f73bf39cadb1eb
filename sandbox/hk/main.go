// Command hk is every program of the sandbox's node in one binary: Kubernetes, etcd, CoreDNS, helm and a few small
// components of our own. argv[0], or else the first argument, names the component.
//
// One binary because one link of the shared libraries costs minutes less than ten, and one module pins all versions.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/coremain"
	_ "github.com/coredns/coredns/plugin/bind"
	_ "github.com/coredns/coredns/plugin/cache"
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/kubernetes"
	_ "github.com/coredns/coredns/plugin/template"
	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/etcdmain"
	helmcmd "helm.sh/helm/v4/pkg/cmd"
	"helm.sh/helm/v4/pkg/kube"
	_ "k8s.io/client-go/plugin/pkg/client/auth"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/restclient"
	_ "k8s.io/component-base/metrics/prometheus/version"
	kubectl "k8s.io/kubectl/pkg/cmd"
	kubectlutil "k8s.io/kubectl/pkg/cmd/util"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	kcm "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	kubeproxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
)

// components maps a name to a program that reads os.Args and returns its exit code.
var components = map[string]func() int{
	"coredns":                 coredns,
	"etcd":                    func() int { etcdmain.Main(os.Args); return 0 },
	"forward":                 reporting(forward),
	"helm":                    helm,
	"kube-apiserver":          func() int { return cli.Run(apiserver.NewAPIServerCommand()) },
	"kube-controller-manager": func() int { return cli.Run(kcm.NewControllerManagerCommand()) },
	"kube-proxy":              func() int { return cli.Run(kubeproxy.NewProxyCommand()) },
	"kube-scheduler":          func() int { return cli.Run(kubeScheduler()) },
	"kubectl":                 runKubectl,
	"kubelet":                 func() int { return cli.Run(kubelet.NewKubeletCommand(context.Background())) },
	"network-policies":        reporting(networkPolicies),
	"pki":                     reporting(pki),
	"provisioner":             reporting(provision),
}

func kubeScheduler() *cobra.Command { return scheduler.NewSchedulerCommand() }

// reporting turns a component that fails with an error into one that prints it and exits with 1.
func reporting(component func(args []string) error) func() int {
	return func() int {
		if err := component(os.Args[1:]); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", filepath.Base(os.Args[0]), err)
			return 1
		}
		return 0
	}
}

func runKubectl() int {
	if err := cli.RunNoErrOutput(kubectl.NewDefaultKubectlCommand()); err != nil {
		kubectlutil.CheckErr(err)
		return 1
	}
	return 0
}

func coredns() int {
	// The order in which plugins see a query, whatever the order in the Corefile.
	dnsserver.Directives = []string{"bind", "errors", "template", "cache", "kubernetes"}
	coremain.Run()
	return 0
}

func helm() int {
	// Without this the field manager of everything helm applies would be this binary's name.
	kube.ManagedFieldsManager = "helm"
	cmd, err := helmcmd.NewRootCmd(os.Stdout, os.Args[1:], helmcmd.SetupLogging)
	if err != nil {
		slog.Warn("command failed", slog.Any("error", err))
		return 1
	}
	if err := cmd.Execute(); err != nil {
		var coded helmcmd.CommandError
		if errors.As(err, &coded) {
			return coded.ExitCode
		}
		return 1
	}
	return 0
}

func main() {
	if _, ok := components[filepath.Base(os.Args[0])]; !ok && len(os.Args) > 1 {
		os.Args = os.Args[1:]
	}
	component, ok := components[filepath.Base(os.Args[0])]
	if !ok {
		fmt.Fprintln(os.Stderr, "usage: hk COMPONENT [argument...]; components:")
		for _, name := range slices.Sorted(maps.Keys(components)) {
			fmt.Fprintln(os.Stderr, " ", name)
		}
		os.Exit(2)
	}
	os.Exit(component())
}
