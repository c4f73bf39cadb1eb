package netpol

import (
	"reflect"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/yaml"
)

func pod(namespace, name, address string) *corev1.Pod {
	port := corev1.ContainerPort{Name: "http", ContainerPort: 8080, Protocol: corev1.ProtocolTCP}
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{"app": name}},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Ports: []corev1.ContainerPort{port}}}},
		Status:     corev1.PodStatus{PodIP: address},
	}
}

func namespace(name string) *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"name": name}}}
}

func plan(t *testing.T, spec string) []Isolation {
	t.Helper()
	policy := &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "policy"}}
	if err := yaml.UnmarshalStrict([]byte(spec), &policy.Spec); err != nil {
		t.Fatal(err)
	}
	found, err := Cluster{
		Policies:   []*networkingv1.NetworkPolicy{policy},
		Pods:       []*corev1.Pod{pod("a", "web", "10.0.0.1"), pod("a", "db", "10.0.0.2"), pod("b", "web", "10.0.1.1"), DNSPod("172.16.0.1")},
		Namespaces: []*corev1.Namespace{namespace("a"), namespace("b"), namespace("kube-system")},
	}.Plan()
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestPlan(t *testing.T) {
	cases := map[string]struct {
		spec string
		want []Isolation
	}{
		"deny all ingress": {
			`{podSelector: {}, policyTypes: [Ingress]}`,
			[]Isolation{
				{"10.0.0.1", Ingress, []string{"ip saddr 10.0.0.1"}},
				{"10.0.0.2", Ingress, []string{"ip saddr 10.0.0.2"}},
			},
		},
		"pods of the policy's own namespace, one port": {
			`{podSelector: {matchLabels: {app: db}}, policyTypes: [Ingress],
			  ingress: [{from: [{podSelector: {matchLabels: {app: web}}}], ports: [{port: 5432}]}]}`,
			[]Isolation{{"10.0.0.2", Ingress, []string{"ip saddr 10.0.0.2", "ip saddr { 10.0.0.1 } tcp dport 5432"}}},
		},
		"pods of other namespaces": {
			`{podSelector: {matchLabels: {app: db}}, policyTypes: [Ingress],
			  ingress: [{from: [{namespaceSelector: {matchLabels: {name: b}}, podSelector: {matchLabels: {app: web}}}]}]}`,
			[]Isolation{{"10.0.0.2", Ingress, []string{"ip saddr 10.0.0.2", "ip saddr { 10.0.1.1 }"}}},
		},
		"all pods of all namespaces": {
			`{podSelector: {matchLabels: {app: db}}, policyTypes: [Ingress], ingress: [{from: [{namespaceSelector: {}}]}]}`,
			[]Isolation{{"10.0.0.2", Ingress,
				[]string{"ip saddr 10.0.0.2", "ip saddr { 10.0.0.1, 10.0.0.2, 10.0.1.1, 172.16.0.1 }"}}},
		},
		"anybody on a named port of the selected pod": {
			`{podSelector: {matchLabels: {app: db}}, policyTypes: [Ingress], ingress: [{ports: [{port: http}]}]}`,
			[]Isolation{{"10.0.0.2", Ingress, []string{"ip saddr 10.0.0.2", "tcp dport 8080"}}},
		},
		"everything": {
			`{podSelector: {matchLabels: {app: db}}, policyTypes: [Ingress], ingress: [{}]}`,
			[]Isolation{{"10.0.0.2", Ingress, []string{"", "ip saddr 10.0.0.2"}}},
		},
		"a peer that nobody is lets nobody in": {
			`{podSelector: {matchLabels: {app: db}}, policyTypes: [Ingress],
			  ingress: [{from: [{podSelector: {matchLabels: {app: none}}}]}]}`,
			[]Isolation{{"10.0.0.2", Ingress, []string{"ip saddr 10.0.0.2"}}},
		},
		"egress to DNS, a named port of peers, a block and a range": {
			`{podSelector: {matchLabels: {app: db}}, policyTypes: [Egress], egress: [
			  {to: [{namespaceSelector: {matchLabels: {name: kube-system}}}], ports: [{port: 53, protocol: UDP}]},
			  {to: [{podSelector: {matchLabels: {app: web}}}], ports: [{port: http}]},
			  {to: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.9.0.0/16]}}], ports: [{port: 80, endPort: 90}]}]}`,
			[]Isolation{{"10.0.0.2", Egress, []string{
				"ip daddr 10.0.0.0/8 ip daddr != { 10.9.0.0/16 } tcp dport 80-90",
				"ip daddr 10.0.0.1 tcp dport 8080",
				"ip daddr 10.0.0.2",
				"ip daddr { 172.16.0.1 } udp dport 53",
			}}},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if found := plan(t, c.spec); !reflect.DeepEqual(found, c.want) {
				t.Errorf("got  %q\nwant %q", found, c.want)
			}
		})
	}
}

func TestProtocolWithoutPort(t *testing.T) {
	udp := corev1.ProtocolUDP
	if found := portMatch(networkingv1.NetworkPolicyPort{Protocol: &udp}); found != "meta l4proto udp" {
		t.Error(found)
	}
	port := intstr.FromInt32(80)
	if found := portMatch(networkingv1.NetworkPolicyPort{Port: &port}); found != "tcp dport 80" {
		t.Error(found)
	}
}
