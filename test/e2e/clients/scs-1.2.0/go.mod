module sif-library.test/scs-1.2.0

go 1.25.7

require (
	github.com/sylabs/scs-library-client v1.2.0
	sif-library.test/command v0.0.0
)

require (
	github.com/blang/semver/v4 v4.0.0 // indirect
	github.com/go-log/log v0.2.0 // indirect
	github.com/sylabs/json-resp v0.8.0 // indirect
	golang.org/x/sync v0.0.0-20200317015054-43a5402ce75a // indirect
)

replace sif-library.test/command => ../command
