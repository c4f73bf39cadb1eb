package netpol

import (
	"context"
	"fmt"
	"log"
	"reflect"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"
	networkinglisters "k8s.io/client-go/listers/networking/v1"
	"k8s.io/client-go/tools/cache"
	"sigs.k8s.io/knftables"
)

const (
	tableName = "network-policy"
	// Several changes often come at once, and one transaction serves them all.
	gather = 20 * time.Millisecond
	retry  = time.Second
)

// Controller keeps the table in the present network namespace equal to what the policies say.
type Controller struct {
	policies   networkinglisters.NetworkPolicyLister
	pods       corelisters.PodLister
	namespaces corelisters.NamespaceLister
	dns        *corev1.Pod
	nft        knftables.Interface
	changed    chan struct{}
	applied    []Isolation
}

// DNSPod stands for the cluster's DNS server, which is a process of the node: policies select it as they would the
// pods that other clusters have.
func DNSPod(address string) *corev1.Pod {
	labels := map[string]string{"k8s-app": "kube-dns"}
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceSystem, Name: "coredns", Labels: labels},
		Status:     corev1.PodStatus{PodIP: address},
	}
}

// Run watches and applies until the context ends.
func Run(ctx context.Context, client kubernetes.Interface, dnsAddress string) error {
	nft, err := knftables.New(knftables.IPv4Family, tableName)
	if err != nil {
		return fmt.Errorf("nftables: %w", err)
	}
	factory := informers.NewSharedInformerFactory(client, 0)
	c := &Controller{
		policies:   factory.Networking().V1().NetworkPolicies().Lister(),
		pods:       factory.Core().V1().Pods().Lister(),
		namespaces: factory.Core().V1().Namespaces().Lister(),
		dns:        DNSPod(dnsAddress),
		nft:        nft,
		changed:    make(chan struct{}, 1),
	}
	handler := cache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { c.notify() },
		UpdateFunc: func(any, any) { c.notify() },
		DeleteFunc: func(any) { c.notify() },
	}
	for _, informer := range []cache.SharedIndexInformer{
		factory.Networking().V1().NetworkPolicies().Informer(),
		factory.Core().V1().Pods().Informer(),
		factory.Core().V1().Namespaces().Informer(),
	} {
		if _, err := informer.AddEventHandler(handler); err != nil {
			return err
		}
	}
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	c.loop(ctx)
	return ctx.Err()
}

func (c *Controller) notify() {
	select {
	case c.changed <- struct{}{}:
	default: // a change is pending already
	}
}

func (c *Controller) loop(ctx context.Context) {
	first := true
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.changed:
		}
		time.Sleep(gather)
		if err := c.sync(ctx, first); err != nil {
			log.Printf("network policies are not applied, next try in %v: %v", retry, err)
			time.AfterFunc(retry, c.notify)
			continue
		}
		first = false
	}
}

// sync applies the plan when it differs from what was applied; the first time always, because the table of an
// earlier run of this component may be there.
func (c *Controller) sync(ctx context.Context, first bool) error {
	cluster, err := c.observe()
	if err != nil {
		return err
	}
	plan, err := cluster.Plan()
	if err != nil {
		return err
	}
	if !first && reflect.DeepEqual(plan, c.applied) {
		return nil
	}
	tx := c.nft.NewTransaction()
	Write(tx, plan)
	if err := c.nft.Run(ctx, tx); err != nil {
		return err
	}
	c.applied = plan
	log.Printf("applied: %d isolated", len(plan))
	return nil
}

func (c *Controller) observe() (Cluster, error) {
	policies, err := c.policies.List(labels.Everything())
	if err != nil {
		return Cluster{}, err
	}
	pods, err := c.pods.List(labels.Everything())
	if err != nil {
		return Cluster{}, err
	}
	namespaces, err := c.namespaces.List(labels.Everything())
	if err != nil {
		return Cluster{}, err
	}
	present := []*corev1.Pod{c.dns}
	for _, pod := range pods {
		ended := pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
		if pod.Status.PodIP != "" && !ended && !pod.Spec.HostNetwork {
			present = append(present, pod)
		}
	}
	return Cluster{Policies: policies, Pods: present, Namespaces: namespaces}, nil
}

// Write replaces the whole table by one that enforces the plan, in one transaction: no moment is without rules.
//
// Pods' traffic among themselves is seen on the forward hook, though they are on one bridge, because of the setting
// net.bridge.bridge-nf-call-iptables; what a pod sends to the node itself (DNS, the API server) on the input hook.
// What the node sends (the kubelet's probes) is on neither, and so always let through, as Kubernetes wants it.
func Write(tx *knftables.Transaction, plan []Isolation) {
	tx.Add(&knftables.Table{}) // so that deleting it is no error
	tx.Delete(&knftables.Table{})
	tx.Add(&knftables.Table{Comment: knftables.PtrTo("NetworkPolicies of the sandbox")})
	for _, direction := range []Direction{Egress, Ingress} {
		tx.Add(&knftables.Map{Name: string(direction), Type: "ipv4_addr : verdict"})
	}
	addHook(tx, knftables.ForwardHook, Egress, Ingress)
	addHook(tx, knftables.InputHook, Egress)
	for _, isolation := range plan {
		chain := fmt.Sprintf("%s-%s", isolation.Direction, isolation.Address)
		tx.Add(&knftables.Chain{Name: chain})
		for _, match := range isolation.Allow {
			tx.Add(&knftables.Rule{Chain: chain, Rule: join(match, "return")})
		}
		tx.Add(&knftables.Rule{Chain: chain, Rule: "drop"})
		tx.Add(&knftables.Element{
			Map:   string(isolation.Direction),
			Key:   []string{isolation.Address},
			Value: []string{"jump " + chain},
		})
	}
}

func addHook(tx *knftables.Transaction, hook knftables.BaseChainHook, directions ...Direction) {
	tx.Add(&knftables.Chain{
		Name:     string(hook),
		Type:     knftables.PtrTo(knftables.FilterType),
		Hook:     knftables.PtrTo(hook),
		Priority: knftables.PtrTo(knftables.FilterPriority),
	})
	tx.Add(&knftables.Rule{Chain: string(hook), Rule: "ct state established,related accept"})
	for _, direction := range directions {
		tx.Add(&knftables.Rule{
			Chain: string(hook), Rule: knftables.Concat(direction.own(), "vmap", "@"+string(direction)),
		})
	}
}
