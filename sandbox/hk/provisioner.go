package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/sig-storage-lib-external-provisioner/v13/controller"
)

// provisionerName is what the StorageClass in addons.yaml names.
const provisionerName = "sandbox.local/directory"

// directories provisions a volume as a directory below root on the node. The size asked for is not enforced.
type directories struct {
	root string
	node string
}

func (d directories) path(volume string) string { return filepath.Join(d.root, volume) }

// Provision makes the directory, writable by any user because a container's uid is not known yet.
func (d directories) Provision(
	_ context.Context, options controller.ProvisionOptions,
) (*v1.PersistentVolume, controller.ProvisioningState, error) {
	path := d.path(options.PVName)
	if err := os.MkdirAll(path, 0o777); err != nil {
		return nil, controller.ProvisioningFinished, err
	}
	if err := os.Chmod(path, 0o777); err != nil { // MkdirAll is subject to the umask
		return nil, controller.ProvisioningFinished, err
	}
	mode := v1.PersistentVolumeFilesystem
	requested := options.PVC.Spec.Resources.Requests[v1.ResourceStorage]
	volume := &v1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: options.PVName},
		Spec: v1.PersistentVolumeSpec{
			PersistentVolumeReclaimPolicy: *options.StorageClass.ReclaimPolicy,
			AccessModes:                   options.PVC.Spec.AccessModes,
			VolumeMode:                    &mode,
			MountOptions:                  options.StorageClass.MountOptions,
			Capacity:                      v1.ResourceList{v1.ResourceStorage: requested},
			PersistentVolumeSource:        v1.PersistentVolumeSource{Local: &v1.LocalVolumeSource{Path: path}},
			NodeAffinity:                  onlyOn(d.node),
		},
	}
	return volume, controller.ProvisioningFinished, nil
}

func onlyOn(node string) *v1.VolumeNodeAffinity {
	term := v1.NodeSelectorTerm{MatchExpressions: []v1.NodeSelectorRequirement{
		{Key: v1.LabelHostname, Operator: v1.NodeSelectorOpIn, Values: []string{node}},
	}}
	return &v1.VolumeNodeAffinity{Required: &v1.NodeSelector{NodeSelectorTerms: []v1.NodeSelectorTerm{term}}}
}

// Delete removes the directory of a volume that this provisioner made, and no other.
func (d directories) Delete(_ context.Context, volume *v1.PersistentVolume) error {
	if volume.Spec.Local == nil || volume.Spec.Local.Path != d.path(volume.Name) {
		return &controller.IgnoredError{Reason: "the volume's path is not one of ours"}
	}
	return os.RemoveAll(volume.Spec.Local.Path)
}

func provision(args []string) error {
	flags := flag.NewFlagSet("provisioner", flag.ContinueOnError)
	kubeconfig := flags.String("kubeconfig", "", "kubeconfig file")
	root := flags.String("directory", "", "absolute path below which volumes are made")
	node := flags.String("node", "", "name of the node that has the directory")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if !filepath.IsAbs(*root) || *node == "" {
		return errors.New("-directory must be an absolute path and -node a name")
	}
	config, err := clientcmd.BuildConfigFromFlags("", *kubeconfig)
	if err != nil {
		return fmt.Errorf("kubeconfig %s: %w", *kubeconfig, err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	ctx := context.Background()
	expand(ctx, client)
	controller.NewProvisionController(
		ctx, client, provisionerName, directories{root: *root, node: *node}, controller.LeaderElection(false),
	).Run(ctx)
	return errors.New("the controller ended")
}
