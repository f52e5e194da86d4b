// Command kubernetes is every Kubernetes program in one file; its own name decides which one runs.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	_ "time/tzdata"

	"github.com/spf13/cobra"
	_ "k8s.io/client-go/plugin/pkg/client/auth"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	kubectl "k8s.io/kubectl/pkg/cmd"
	"k8s.io/kubectl/pkg/cmd/util"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	manager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubeadm "k8s.io/kubernetes/cmd/kubeadm/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
)

// build calls a constructor of a command, which takes a context in some versions of Kubernetes and nothing in others.
func build(constructor any) *cobra.Command {
	function := reflect.ValueOf(constructor)
	var arguments []reflect.Value
	if function.Type().NumIn() > 0 {
		arguments = append(arguments, reflect.ValueOf(context.Background()))
	}
	return function.Call(arguments)[0].Interface().(*cobra.Command)
}

func main() {
	run := func(command *cobra.Command) { os.Exit(cli.Run(command)) }
	switch name := filepath.Base(os.Args[0]); name {
	case "kube-apiserver":
		run(build(apiserver.NewAPIServerCommand))
	case "kube-controller-manager":
		run(build(manager.NewControllerManagerCommand))
	case "kube-scheduler":
		run(build(scheduler.NewSchedulerCommand))
	case "kube-proxy":
		run(build(proxy.NewProxyCommand))
	case "kubelet":
		run(build(kubelet.NewKubeletCommand))
	case "kubeadm":
		if err := kubeadm.Run(); err != nil {
			fmt.Fprintln(os.Stderr, "error:", err)
			os.Exit(1)
		}
	case "kubectl":
		if err := cli.RunNoErrOutput(kubectl.NewDefaultKubectlCommand()); err != nil {
			util.CheckErr(err)
		}
	default:
		fmt.Fprintf(os.Stderr, "%s: unknown program name\n", name)
		os.Exit(2)
	}
}
