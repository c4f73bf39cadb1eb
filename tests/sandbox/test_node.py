"""What runs inside the sandbox: its configuration, addresses and versions; nothing of it needs root."""

import re
from pathlib import Path

from sandbox import binary, cgroups, dns, runtime
from sandbox.node import addresses, config
from sandbox.node.components import components
from sandbox.node.places import Places

CHECKOUT = Path(__file__).resolve().parents[2]


class TestNode:
    PLACES = Places(Path("/data"), Path("/cache/hk"), "own-group")

    def test_addons_name_the_same_addresses(self) -> None:
        addons = (CHECKOUT / "sandbox" / "addons.yaml").read_text()
        assert f"clusterIP: {addresses.DNS_IP}\n" in addons
        assert f"addresses: [{addresses.NODE_IP}]\n" in addons
        assert "provisioner: sandbox.local/directory\n" in addons
        assert '"sandbox.local/directory"' in (binary.SOURCE / "provisioner.go").read_text()

    def test_every_configuration_file_that_is_named_is_written(self) -> None:
        written = set(config.files(self.PLACES))
        words = " ".join(word for component in components(self.PLACES) for word in component.arguments)
        assert set(re.findall(r"/data/config/(\S+)", words)) <= written
        assert "cgroupRoot" in config.files(self.PLACES)["kubelet.yaml"]

    def test_what_is_audited_are_service_accounts_that_are_not_the_clusters_own(self) -> None:
        rules = config.audit()["rules"]
        assert [rule["level"] for rule in rules] == ["None", "None", "Metadata"]
        assert rules[0]["userGroups"] == ["system:serviceaccounts:kube-system"]
        assert rules[2] == {"level": "Metadata", "userGroups": ["system:serviceaccounts"]}
        assert config.audit()["omitStages"] == ["RequestReceived"]
        (api,) = (each for each in components(self.PLACES) if each.name == "kube-apiserver")
        assert f"--audit-log-path={self.PLACES.audit}" in api.arguments

    def test_component_names_are_the_binarys(self) -> None:
        known = set(re.findall(r'^\t"([a-z-]+)": ', (binary.SOURCE / "main.go").read_text(), flags=re.MULTILINE))
        assert {component.name for component in components(self.PLACES)} - {"containerd"} <= known

    def test_hierarchies(self) -> None:
        rows = ["cgroup /sys/fs/cgroup/cpu cgroup", "cgroup2 /sys/fs/cgroup/unified cgroup2", "x /y ext4"]
        mounts = "".join(f"{row} rw 0 0\n" for row in rows)
        found = {Path("/sys/fs/cgroup/cpu"): "cgroup", Path("/sys/fs/cgroup/unified"): "cgroup2"}
        assert cgroups.hierarchies(mounts) == found

    def test_dns_question_and_answers(self) -> None:
        assert dns.question("a.bc.", 0x1234) == bytes.fromhex(
            "1234 0100 0001 0000 0000 0000 01 61 02 6263 00 0001 0001"
        )
        header = "1234 8180 0001 {} 0000 0000"
        assert dns.has_answer(bytes.fromhex(header.format("0001")), 0x1234)
        assert not dns.has_answer(bytes.fromhex(header.format("0000")), 0x1234)
        assert not dns.has_answer(bytes.fromhex("1234 8183 0001 0001 0000 0000"), 0x1234)
        assert not dns.has_answer(bytes.fromhex(header.format("0001")), 0x4321)
        assert not dns.has_answer(b"\x12\x34", 0x1234)

    def test_images_in_containerd(self) -> None:
        listing = "REF TYPE DIGEST SIZE PLATFORMS LABELS\nx/y:1 application/z sha256:ab 5.0 MiB linux/amd64 -\n"
        assert runtime.parse_images(listing) == {"x/y:1": "sha256:ab"}


class TestBinary:
    def test_versions(self) -> None:
        found = binary.versions()
        assert found["kubernetes"] == "v1.36.3"
        assert tuple(map(int, found["helm"].removeprefix("v").split("."))) >= (4, 2, 4)
        assert set(found) == {"kubernetes", "helm", "etcd", "coredns"}

    def test_stamps(self) -> None:
        flags = binary.link_flags("v1.36.3", "v4.2.4")
        assert "-X helm.sh/helm/v4/internal/version.version=v4.2.4" in flags
        assert "-X k8s.io/client-go/pkg/version.gitMinor=36" in flags

    def test_required_versions_of_both_kinds(self) -> None:
        text = "require (\n\ta.b/c v1.2.3\n\td.e/f v0.1.0 // indirect\n)\nreplace (\n\ta.b/c => a.b/c v9.9.9\n)\n"
        assert binary.required_versions(text) == {"a.b/c": "v1.2.3", "d.e/f": "v0.1.0"}
