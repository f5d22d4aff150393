module sif-library.test/container-1.4.12

go 1.25.7

require (
	github.com/apptainer/container-library-client v1.4.12
	sif-library.test/command v0.0.0
)

require (
	github.com/apptainer/sif/v2 v2.21.1 // indirect
	github.com/blang/semver/v4 v4.0.0 // indirect
	github.com/go-log/log v0.2.0 // indirect
	github.com/google/go-containerregistry v0.20.3 // indirect
	github.com/google/uuid v1.6.0 // indirect
	github.com/opencontainers/go-digest v1.0.0 // indirect
	github.com/opencontainers/image-spec v1.1.1 // indirect
	github.com/sylabs/json-resp v0.9.4 // indirect
	golang.org/x/sync v0.11.0 // indirect
)

replace sif-library.test/command => ../command
