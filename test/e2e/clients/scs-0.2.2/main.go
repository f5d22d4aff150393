// The client of Singularity 3.3.
package main

import (
	"context"
	"errors"

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

// Get sends no arch: the generation knows none.
func (c connection) Get(ctx context.Context, _, reference string) (any, error) {
	image, found, err := c.GetImage(ctx, reference)
	if err == nil && !found {
		return nil, errors.New("image does not exist in the library: " + reference)
	}
	return image, err
}

// Push sends no arch: the server takes it from the SIF header.
func (c connection) Push(ctx context.Context, push command.Push) (any, error) {
	return nil, c.UploadImage(ctx, push.File, push.Path, push.Tags, push.Description, nil)
}

// Pull keeps the leading slash of the path, as the CLI 3.3 did: GET /v1/imagefile//entity/…
func (c connection) Pull(ctx context.Context, pull command.Pull) error {
	return c.DownloadImage(ctx, pull.File, "/"+pull.Path, pull.Selector, nil)
}

func (c connection) Search(ctx context.Context, arguments map[string]string) (any, error) {
	return c.Client.Search(ctx, arguments)
}

func (c connection) Delete(context.Context, string, string) error {
	return command.ErrUnsupported
}

func (c connection) Version(ctx context.Context) (any, error) {
	return c.GetVersion(ctx)
}

func (c connection) Hash(file string) (string, error) {
	return library.ImageHash(file)
}

func main() {
	command.Run(command.Generation{Name: "scs-0.2.2", Connect: connect})
}
