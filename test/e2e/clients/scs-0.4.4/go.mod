module sif-library.test/scs-0.4.4

go 1.25.7

require (
	github.com/sylabs/scs-library-client v0.4.4
	sif-library.test/command v0.0.0
)

require (
	github.com/blang/semver v3.5.1+incompatible // indirect
	github.com/go-log/log v0.1.0 // indirect
	github.com/sylabs/json-resp v0.6.0 // indirect
	golang.org/x/sync v0.0.0-20190423024810-112230192c58 // indirect
)

replace sif-library.test/command => ../command
