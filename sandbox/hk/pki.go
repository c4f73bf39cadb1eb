package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
)

const (
	clusterCA    = "ca"
	frontProxyCA = "front-proxy-ca"
	tenYears     = 10 * 365 * 24 * time.Hour
	// complete is written last: a directory without it is made anew.
	complete = "complete"
)

// certificate says what one key pair of the cluster is for.
type certificate struct {
	name         string
	authority    string
	user         string
	groups       []string
	usage        x509.ExtKeyUsage
	hostnames    []string
	addresses    []net.IP
	inKubeconfig bool
}

func certificates(node string, nodeIP, serviceIP net.IP) []certificate {
	loopback := net.IPv4(127, 0, 0, 1)
	client, server := x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth
	masters, nodes := []string{"system:masters"}, []string{"system:nodes"}
	service := []string{"kubernetes", "kubernetes.default", "kubernetes.default.svc",
		"kubernetes.default.svc.cluster.local", "localhost"}
	return []certificate{
		{name: "apiserver", authority: clusterCA, user: "kube-apiserver", usage: server,
			hostnames: service, addresses: []net.IP{serviceIP, loopback, nodeIP}},
		{name: "apiserver-kubelet-client", authority: clusterCA, user: "kube-apiserver-kubelet-client",
			groups: masters, usage: client},
		{name: "front-proxy-client", authority: frontProxyCA, user: "front-proxy-client", usage: client},
		{name: "kubelet-server", authority: clusterCA, user: "system:node:" + node, groups: nodes, usage: server,
			hostnames: []string{node}, addresses: []net.IP{nodeIP, loopback}},
		{name: "admin", authority: clusterCA, user: "kubernetes-admin", groups: masters, usage: client, inKubeconfig: true},
		{name: "kube-controller-manager", authority: clusterCA, user: "system:kube-controller-manager", usage: client,
			inKubeconfig: true},
		{name: "kube-scheduler", authority: clusterCA, user: "system:kube-scheduler", usage: client, inKubeconfig: true},
		{name: "kube-proxy", authority: clusterCA, user: "system:kube-proxy", usage: client, inKubeconfig: true},
		{name: "kubelet", authority: clusterCA, user: "system:node:" + node, groups: nodes, usage: client,
			inKubeconfig: true},
	}
}

// pki makes every key, certificate and kubeconfig of the cluster in one directory, once. Kubeconfigs are written at
// every call, because the port on the machine's loopback may have changed.
func pki(args []string) error {
	flags := flag.NewFlagSet("pki", flag.ContinueOnError)
	directory := flags.String("directory", "", "where to write")
	node := flags.String("node", "", "name of the node")
	nodeIP := flags.String("node-ip", "", "the node's address")
	serviceIP := flags.String("service-ip", "", "cluster address of the Service kubernetes")
	inside := flags.String("server", "", "URL of the API server for the node's own components")
	outside := flags.String("outside-server", "", "URL of the API server on the machine's loopback")
	outsideFile := flags.String("outside-kubeconfig", "", "where to write the kubeconfig with that URL")
	if err := flags.Parse(args); err != nil {
		return err
	}
	all := certificates(*node, net.ParseIP(*nodeIP), net.ParseIP(*serviceIP))
	if err := ensureKeys(*directory, all); err != nil {
		return err
	}
	for _, c := range all {
		if c.inKubeconfig {
			if err := writeKubeconfig(*directory, c.name, *inside, filepath.Join(*directory, c.name+".kubeconfig")); err != nil {
				return err
			}
		}
	}
	return writeKubeconfig(*directory, "admin", *outside, *outsideFile)
}

func ensureKeys(directory string, all []certificate) error {
	if _, err := os.Stat(filepath.Join(directory, complete)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(directory, 0o700); err != nil {
		return err
	}
	authorities := map[string]*issuer{}
	for _, name := range []string{clusterCA, frontProxyCA} {
		authority, err := newAuthority(directory, name)
		if err != nil {
			return err
		}
		authorities[name] = authority
	}
	for _, c := range all {
		if err := authorities[c.authority].issue(directory, c); err != nil {
			return err
		}
	}
	if err := newServiceAccountKey(directory); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(directory, complete), nil, 0o600)
}

type issuer struct {
	certificate *x509.Certificate
	key         crypto.Signer
}

func newAuthority(directory, name string) (*issuer, error) {
	key, err := newKey(directory, name)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: name},
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
	}
	certificate, err := sign(directory, name, template, template, key.Public(), key)
	return &issuer{certificate, key}, err
}

func (i *issuer) issue(directory string, c certificate) error {
	key, err := newKey(directory, c.name)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		Subject:     pkix.Name{CommonName: c.user, Organization: c.groups},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{c.usage},
		DNSNames:    c.hostnames,
		IPAddresses: c.addresses,
	}
	_, err = sign(directory, c.name, template, i.certificate, key.Public(), i.key)
	return err
}

func sign(
	directory, name string, template, parent *x509.Certificate, public crypto.PublicKey, key crypto.Signer,
) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	template.SerialNumber = serial
	template.NotBefore = time.Now().Add(-time.Hour) // clocks of pods may be faked
	template.NotAfter = time.Now().Add(tenYears)
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, key)
	if err != nil {
		return nil, fmt.Errorf("certificate %s: %w", name, err)
	}
	if err := writePEM(filepath.Join(directory, name+".crt"), "CERTIFICATE", der); err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

func newKey(directory, name string) (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return key, writePEM(filepath.Join(directory, name+".key"), "PRIVATE KEY", der)
}

func newServiceAccountKey(directory string) error {
	key, err := newKey(directory, "service-accounts")
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return err
	}
	return writePEM(filepath.Join(directory, "service-accounts.pub"), "PUBLIC KEY", der)
}

func writePEM(path, kind string, der []byte) error {
	return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}

func writeKubeconfig(directory, user, server, path string) error {
	authority, err := os.ReadFile(filepath.Join(directory, clusterCA+".crt"))
	if err != nil {
		return err
	}
	certificate, err := os.ReadFile(filepath.Join(directory, user+".crt"))
	if err != nil {
		return err
	}
	key, err := os.ReadFile(filepath.Join(directory, user+".key"))
	if err != nil {
		return err
	}
	config := api.NewConfig()
	config.Clusters["sandbox"] = &api.Cluster{Server: server, CertificateAuthorityData: authority}
	config.AuthInfos[user] = &api.AuthInfo{ClientCertificateData: certificate, ClientKeyData: key}
	config.Contexts["sandbox"] = &api.Context{Cluster: "sandbox", AuthInfo: user}
	config.CurrentContext = "sandbox"
	return clientcmd.WriteToFile(*config, path)
}
