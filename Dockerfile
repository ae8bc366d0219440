# One image for every command of Recoup: docker run recoup worker | console | starter | simulator | migrate | import | case | audit.
# Only the root module is built: the nested devstack with its embedded Temporal server never gets in (GOWORK=off).
FROM golang:1.26.8-alpine3.23 AS build
WORKDIR /src
ENV GOWORK=off CGO_ENABLED=0
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
# -trimpath, no build id of the linker's own and no version-control stamp: the same sources make the same bytes.
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    go build -trimpath -buildvcs=false -ldflags="-s -w -buildid=" -o /out/recoup ./cmd/recoup

FROM alpine:3.23
# Roots for TLS and the time zones that due dates are local to. The zones are Go's own, so that they follow the compiler's version.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /usr/local/go/lib/time/zoneinfo.zip /usr/local/share/zoneinfo.zip
ENV ZONEINFO=/usr/local/share/zoneinfo.zip
COPY --from=build /out/recoup /usr/local/bin/recoup
USER 65532:65532
# Nothing is written to the disk: run it with a read-only root.
ENTRYPOINT ["recoup"]
CMD ["--help"]
