// The client of Singularity 3.6.0 to 3.6.3.
package main

import (
	"context"

	library "github.com/sylabs/scs-library-client/client"
	"sif-library.test/command"
)

type connection struct {
	*library.Client
}

func connect(options command.Options) (command.Client, error) {
	client, err := library.NewClient(&library.Config{BaseURL: options.URL, AuthToken: options.Token, UserAgent: options.UserAgent})
	if err != nil {
		return nil, err
	}
	return connection{client}, nil
}

func (c connection) Get(ctx context.Context, arch, reference string) (any, error) {
	return c.GetImage(ctx, arch, reference)
}

func (c connection) Push(ctx context.Context, push command.Push) (any, error) {
	return nil, c.UploadImage(ctx, push.File, push.Path, push.Arch, push.Tags, push.Description, nil)
}

func (c connection) Pull(ctx context.Context, pull command.Pull) error {
	return c.DownloadImage(ctx, pull.File, pull.Arch, pull.Path, pull.Selector, nil)
}

func (c connection) Search(ctx context.Context, arguments map[string]string) (any, error) {
	return c.Client.Search(ctx, arguments)
}

func (c connection) Delete(ctx context.Context, reference, arch string) error {
	return c.DeleteImage(ctx, reference, arch)
}

func (c connection) Version(ctx context.Context) (any, error) {
	return c.GetVersion(ctx)
}

func (c connection) Hash(file string) (string, error) {
	return library.ImageHash(file)
}

func main() {
	command.Run(command.Generation{Name: "scs-0.5.5", Connect: connect})
}
