// Package netpol enforces NetworkPolicies among the pods of one node, with nftables.
package netpol

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// Direction is that of the traffic, seen from the pod that a policy selects.
type Direction string

const (
	Ingress Direction = "ingress"
	Egress  Direction = "egress"
)

// own and peer name the address of the selected pod and of the other side, in an nftables rule.
func (d Direction) own() string {
	if d == Ingress {
		return "ip daddr"
	}
	return "ip saddr"
}

func (d Direction) peer() string {
	if d == Ingress {
		return "ip saddr"
	}
	return "ip daddr"
}

// Isolation is one pod that only gets, or only makes, the connections that are listed.
type Isolation struct {
	Address   string
	Direction Direction
	// Allow holds nftables matches; a connection that fits one of them is let through. "" fits every one.
	Allow []string
}

// Cluster is all that the rules depend on. Pods without an address and pods that have ended are not in it.
type Cluster struct {
	Policies   []*networkingv1.NetworkPolicy
	Pods       []*corev1.Pod
	Namespaces []*corev1.Namespace
}

// Plan says which pods are isolated in which direction and what is let through nevertheless, in a stable order.
func (c Cluster) Plan() ([]Isolation, error) {
	var plan []Isolation
	for _, pod := range c.Pods {
		for _, direction := range []Direction{Ingress, Egress} {
			isolation, err := c.isolation(pod, direction)
			if err != nil {
				return nil, err
			}
			if isolation != nil {
				plan = append(plan, *isolation)
			}
		}
	}
	slices.SortFunc(plan, func(a, b Isolation) int {
		return strings.Compare(string(a.Direction)+a.Address, string(b.Direction)+b.Address)
	})
	return plan, nil
}

// isolation is nil when no policy selects the pod for the direction: then everything is let through.
func (c Cluster) isolation(pod *corev1.Pod, direction Direction) (*Isolation, error) {
	var found *Isolation
	for _, policy := range c.Policies {
		if policy.Namespace != pod.Namespace || !slices.Contains(policy.Spec.PolicyTypes, typeOf(direction)) {
			continue
		}
		selected, err := matches(&policy.Spec.PodSelector, pod.Labels)
		if err != nil {
			return nil, fmt.Errorf("NetworkPolicy %s/%s: %w", policy.Namespace, policy.Name, err)
		}
		if !selected {
			continue
		}
		if found == nil {
			// A pod always reaches itself, for instance through its own Service.
			itself := fmt.Sprintf("%s %s", direction.peer(), pod.Status.PodIP)
			found = &Isolation{Address: pod.Status.PodIP, Direction: direction, Allow: []string{itself}}
		}
		for _, rule := range rulesOf(policy, direction) {
			allow, err := c.allow(policy.Namespace, pod, direction, rule)
			if err != nil {
				return nil, fmt.Errorf("NetworkPolicy %s/%s: %w", policy.Namespace, policy.Name, err)
			}
			found.Allow = append(found.Allow, allow...)
		}
	}
	if found != nil {
		slices.Sort(found.Allow)
		found.Allow = slices.Compact(found.Allow)
	}
	return found, nil
}

func typeOf(direction Direction) networkingv1.PolicyType {
	if direction == Ingress {
		return networkingv1.PolicyTypeIngress
	}
	return networkingv1.PolicyTypeEgress
}

// rule is what the rules of both directions have in common.
type rule struct {
	peers []networkingv1.NetworkPolicyPeer
	ports []networkingv1.NetworkPolicyPort
}

func rulesOf(policy *networkingv1.NetworkPolicy, direction Direction) []rule {
	var rules []rule
	if direction == Ingress {
		for _, r := range policy.Spec.Ingress {
			rules = append(rules, rule{r.From, r.Ports})
		}
		return rules
	}
	for _, r := range policy.Spec.Egress {
		rules = append(rules, rule{r.To, r.Ports})
	}
	return rules
}

// side is one alternative for the other end of a connection: a match, and the pods that it stands for.
type side struct {
	match string
	pods  []*corev1.Pod
}

// allow combines every peer of a rule with every port of it.
func (c Cluster) allow(namespace string, pod *corev1.Pod, direction Direction, r rule) ([]string, error) {
	sides, err := c.sides(namespace, direction, r.peers)
	if err != nil {
		return nil, err
	}
	var allow []string
	for _, other := range sides {
		if len(r.ports) == 0 {
			allow = append(allow, other.match)
		}
		for _, port := range r.ports {
			if port.Port == nil || port.Port.Type == intstr.Int {
				allow = append(allow, join(other.match, portMatch(port)))
				continue
			}
			allow = append(allow, namedPort(pod, direction, other, port)...)
		}
	}
	return allow, nil
}

// sides are the alternatives of a list of peers; an empty list is anybody.
func (c Cluster) sides(
	namespace string, direction Direction, peers []networkingv1.NetworkPolicyPeer,
) ([]side, error) {
	if len(peers) == 0 {
		return []side{{match: "", pods: c.Pods}}, nil
	}
	var sides []side
	for _, peer := range peers {
		if peer.IPBlock != nil {
			match := fmt.Sprintf("%s %s", direction.peer(), peer.IPBlock.CIDR)
			if len(peer.IPBlock.Except) > 0 {
				match += fmt.Sprintf(" %s != { %s }", direction.peer(), strings.Join(peer.IPBlock.Except, ", "))
			}
			sides = append(sides, side{match: match})
			continue
		}
		pods, err := c.selectPods(namespace, peer)
		if err != nil {
			return nil, err
		}
		if len(pods) > 0 {
			sides = append(sides, side{match: addresses(direction, pods), pods: pods})
		}
	}
	return sides, nil
}

func (c Cluster) selectPods(namespace string, peer networkingv1.NetworkPolicyPeer) ([]*corev1.Pod, error) {
	inNamespaces := map[string]bool{namespace: peer.NamespaceSelector == nil}
	if peer.NamespaceSelector != nil {
		for _, candidate := range c.Namespaces {
			selected, err := matches(peer.NamespaceSelector, candidate.Labels)
			if err != nil {
				return nil, err
			}
			inNamespaces[candidate.Name] = selected
		}
	}
	podSelector := peer.PodSelector
	if podSelector == nil {
		podSelector = &metav1.LabelSelector{}
	}
	var pods []*corev1.Pod
	for _, candidate := range c.Pods {
		selected, err := matches(podSelector, candidate.Labels)
		if err != nil {
			return nil, err
		}
		if selected && inNamespaces[candidate.Namespace] {
			pods = append(pods, candidate)
		}
	}
	return pods, nil
}

func matches(selector *metav1.LabelSelector, of map[string]string) (bool, error) {
	parsed, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		return false, err
	}
	return parsed.Matches(labels.Set(of)), nil
}

func addresses(direction Direction, pods []*corev1.Pod) string {
	var found []string
	for _, pod := range pods {
		found = append(found, pod.Status.PodIP)
	}
	slices.Sort(found)
	return fmt.Sprintf("%s { %s }", direction.peer(), strings.Join(slices.Compact(found), ", "))
}

func protocol(port networkingv1.NetworkPolicyPort) corev1.Protocol {
	if port.Protocol == nil {
		return corev1.ProtocolTCP
	}
	return *port.Protocol
}

// portMatch is that of a number, a range of numbers, or all ports of a protocol.
func portMatch(port networkingv1.NetworkPolicyPort) string {
	name := strings.ToLower(string(protocol(port)))
	switch {
	case port.Port == nil:
		return "meta l4proto " + name
	case port.EndPort != nil:
		return fmt.Sprintf("%s dport %d-%d", name, port.Port.IntVal, *port.EndPort)
	default:
		return fmt.Sprintf("%s dport %d", name, port.Port.IntVal)
	}
}

// namedPort resolves a port's name on the pods that are connected to: the selected one, or the peers.
func namedPort(pod *corev1.Pod, direction Direction, other side, port networkingv1.NetworkPolicyPort) []string {
	name := strings.ToLower(string(protocol(port)))
	var allow []string
	if direction == Ingress {
		for _, number := range numbers(pod, port) {
			allow = append(allow, join(other.match, fmt.Sprintf("%s dport %d", name, number)))
		}
		return allow
	}
	for _, target := range other.pods {
		for _, number := range numbers(target, port) {
			allow = append(allow, fmt.Sprintf("ip daddr %s %s dport %d", target.Status.PodIP, name, number))
		}
	}
	return allow
}

func numbers(pod *corev1.Pod, wanted networkingv1.NetworkPolicyPort) []int32 {
	var found []int32
	for _, container := range pod.Spec.Containers {
		for _, port := range container.Ports {
			if port.Name == wanted.Port.StrVal && port.Protocol == protocol(wanted) {
				found = append(found, port.ContainerPort)
			}
		}
	}
	return found
}

func join(parts ...string) string {
	return strings.TrimSpace(strings.Join(parts, " "))
}
