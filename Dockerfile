# The image of helmbroker, the same as the one that the sandbox makes without a container engine: its parts are those of
# sandbox/images/helmbroker.json, and a test compares both. Neither base image has a default, because only who builds can know
# which digest is the right one today:
#
#   docker build --build-arg DEBIAN=debian:bookworm-slim@sha256:... --build-arg GO=golang:1.26-bookworm@sha256:... --tag helmbroker:0.1.0 .
ARG DEBIAN
ARG GO

FROM ${GO} AS helm
WORKDIR /src
COPY sandbox/hk/go.mod sandbox/hk/go.sum ./
# go.sum has the hash of every module.
RUN version="$(go list -m -f '{{.Version}}' helm.sh/helm/v4)" && \
    CGO_ENABLED=0 GOFLAGS=-buildvcs=false go build -mod=readonly -trimpath \
      -ldflags "-s -w -X helm.sh/helm/v4/internal/version.version=$version" -o /made/usr/local/bin/helm helm.sh/helm/v4/cmd/helm && \
    mkdir -p /made/usr/local/share/helm && \
    cd /made/usr/local/bin && go version -m helm > /made/usr/local/share/helm/go-modules

FROM ${DEBIAN} AS debian
RUN apt-get update && \
    apt-get install --yes --no-install-recommends ca-certificates python3 && \
    rm -rf /var/lib/apt/lists/* /usr/lib/python3*/lib2to3 /usr/lib/python3*/pydoc_data /usr/lib/python3*/test

FROM debian AS parts
RUN apt-get update && apt-get install --yes --no-install-recommends python3-venv
WORKDIR /src
COPY constraints.txt pyproject.toml ./
COPY packing packing
RUN python3 -m packing.image dependencies /made/dependencies
COPY LICENSE ./
COPY addons addons
COPY helmbroker helmbroker
RUN python3 -m packing.image program /made/program

FROM debian AS root
RUN groupadd --gid 10001 helmbroker && \
    useradd --uid 10001 --gid 10001 --home-dir /var/lib/helmbroker --no-create-home --shell /usr/sbin/nologin helmbroker
# What is left is what Debian calls essential, and what was asked for; nothing is installed in this image any more.
RUN apt-mark auto $(apt-mark showmanual) > /dev/null && apt-mark manual ca-certificates python3 && \
    apt-get purge --yes --auto-remove --allow-remove-essential -o APT::AutoRemove::RecommendsImportant=false \
      -o APT::AutoRemove::SuggestsImportant=false apt e2fsprogs logsave mount passwd tzdata && \
    rm -rf /etc/apt /usr/bin/perl* /usr/lib/*/gconv /usr/lib/*/libperl.so* /usr/lib/*/perl* /usr/share/bash-completion \
      /usr/share/bug /usr/share/doc /usr/share/info /usr/share/lintian /usr/share/locale /usr/share/man /usr/share/perl* \
      /var/cache/apt /var/cache/debconf/* /var/cache/ldconfig /var/lib/apt /var/lib/dpkg/info /var/log/*

# A layer does not become smaller by what a later one deletes.
FROM scratch
COPY --from=root / /
COPY --from=helm /made /
COPY --from=parts /made/dependencies /
COPY --from=parts /made/program /
# /mnt is there anyway: a mount point that is made for this would stay.
RUN --mount=type=bind,source=packing,target=/mnt/packing \
    cd /mnt && python3 -B -m packing.sbom / /usr/share/sbom/helmbroker.cdx.json
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
ENV LANG=C.UTF-8
ENV PYTHONPATH=/opt/helmbroker
ENV PYTHONUNBUFFERED=1
ENV PYTHONDONTWRITEBYTECODE=1
ENV HELMBROKER_DATA_DIR=/var/lib/helmbroker
ENV HELMBROKER_BRIDGE_DATA_DIR=/var/lib/helmbroker
LABEL org.opencontainers.image.title="helmbroker"
LABEL org.opencontainers.image.description="Open Service Broker for Kubernetes: Helm-chart addons as service classes"
LABEL org.opencontainers.image.version="0.1.0"
LABEL org.opencontainers.image.licenses="Apache-2.0"
WORKDIR /usr/share/helmbroker
USER 10001:10001
ENTRYPOINT ["helmbroker"]
CMD ["--help"]
