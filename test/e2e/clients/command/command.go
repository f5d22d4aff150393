// Package command is the command line that all client generations share: it parses the arguments, calls the generation's
// client in the order in which the real CLI does, and prints one line of JSON.
package command

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
)

// ErrUnsupported says that this generation has no such call.
var ErrUnsupported = errors.New("not supported by this client generation")

// Options are what every call of a client needs. URL and Token are as the CLI takes them from its remote.
type Options struct {
	URL       string
	Token     string
	UserAgent string
}

// Push is one image on its way to the library, split as the CLI splits a reference.
type Push struct {
	File        io.ReadSeeker
	Path        string
	Arch        string
	Tags        []string
	Description string
}

// Pull is one image on its way from the library. PartSize (bytes) counts only where the generation downloads in parts.
type Pull struct {
	File     *os.File
	Path     string
	Selector string
	Arch     string
	PartSize int64
	// Stream asks for the plain DownloadImage where the CLI of the generation would download in parts.
	Stream bool
}

// Client is a generation's client. Results are the generation's own structs; they are printed by their JSON names.
type Client interface {
	Get(ctx context.Context, arch, reference string) (any, error)
	Push(ctx context.Context, push Push) (any, error)
	Pull(ctx context.Context, pull Pull) error
	Search(ctx context.Context, arguments map[string]string) (any, error)
	Delete(ctx context.Context, reference, arch string) error
	Version(ctx context.Context) (any, error)
	// Hash is the hash (sha256.<hex>) that the generation computes over a file.
	Hash(file string) (string, error)
}

// Generation says who the client is and how it is made.
type Generation struct {
	Name string
	// Product is the user agent's first word as the CLI sends it; empty where the CLI leaves Go's own user agent.
	Product string
	Connect func(options Options) (Client, error)
}

// Result is the line that is printed. Size is in bytes.
type Result struct {
	OK          bool      `json:"ok"`
	Generation  string    `json:"generation"`
	Command     string    `json:"command"`
	Error       string    `json:"error,omitempty"`
	Unsupported bool      `json:"unsupported,omitempty"`
	Hash        string    `json:"hash,omitempty"`
	Size        int64     `json:"size,omitempty"`
	Data        any       `json:"data,omitempty"`
	Requests    []Request `json:"requests"`
}

// Run is main: it never exits with a failure when the client was asked and answered, the line says how it went.
func Run(generation Generation) {
	recorder := record()
	result := Result{Generation: generation.Name}
	if err := execute(generation, os.Args[1:], &result); err != nil {
		result.Error = err.Error()
		result.Unsupported = errors.Is(err, ErrUnsupported)
	}
	result.OK = result.Error == ""
	result.Requests = recorder.taken()
	if err := json.NewEncoder(os.Stdout).Encode(result); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

type flags struct {
	url, token, arch, description string
	partSize                      int64
	stream, signed                bool
	words                         []string
}

// parse allows flags before, between and after the words, which package flag does not.
func parse(arguments []string) (flags, error) {
	var f flags
	set := flag.NewFlagSet("client", flag.ContinueOnError)
	set.StringVar(&f.url, "url", "", "base URL of the library")
	set.StringVar(&f.token, "token", "", "access token")
	set.StringVar(&f.arch, "arch", "", "architecture, a Go name")
	set.StringVar(&f.description, "description", "", "description of the image")
	set.Int64Var(&f.partSize, "part-size", 5*1024*1024, "bytes of one ranged GET")
	set.BoolVar(&f.stream, "stream", false, "download in one stream")
	set.BoolVar(&f.signed, "signed", false, "search signed images only")
	for rest := arguments; ; {
		if err := set.Parse(rest); err != nil {
			return f, err
		}
		if set.NArg() == 0 {
			return f, nil
		}
		f.words = append(f.words, set.Arg(0))
		rest = set.Args()[1:]
	}
}

func execute(generation Generation, arguments []string, result *Result) error {
	f, err := parse(arguments)
	if err != nil {
		return err
	}
	options := Options{URL: f.url, Token: f.token}
	if generation.Product != "" {
		options.UserAgent = fmt.Sprintf("%s (Linux %s) Go/%s", generation.Product, runtime.GOARCH, strings.TrimPrefix(runtime.Version(), "go"))
	}
	client, err := generation.Connect(options)
	if err != nil {
		return err
	}
	wanted := map[string]int{"push": 3, "pull": 3, "get": 2, "search": 2, "delete": 2, "version": 1}
	if len(f.words) == 0 || wanted[f.words[0]] != len(f.words) {
		return fmt.Errorf("usage: client push FILE REF | pull REF OUT | get REF | search VALUE | delete REF | version; got %q", f.words)
	}
	result.Command = f.words[0]
	ctx := context.Background()
	switch result.Command {
	case "push":
		return push(ctx, client, f, result)
	case "pull":
		return pull(ctx, client, f, result)
	case "get":
		result.Data, err = client.Get(ctx, f.arch, f.words[1])
	case "search":
		query := map[string]string{"value": f.words[1]}
		if f.arch != "" {
			query["arch"] = f.arch
		}
		if f.signed {
			query["signed"] = "true"
		}
		result.Data, err = client.Search(ctx, query)
	case "delete":
		err = client.Delete(ctx, f.words[1], f.arch)
	case "version":
		result.Data, err = client.Version(ctx)
	}
	return err
}

// split takes a reference apart at the first colon; an untagged one has no tags.
func split(reference string) (string, []string) {
	path, tags, tagged := strings.Cut(reference, ":")
	if !tagged {
		return path, nil
	}
	return path, strings.Split(tags, ",")
}

func push(ctx context.Context, client Client, f flags, result *Result) error {
	file, err := os.Open(f.words[1])
	if err != nil {
		return err
	}
	defer file.Close()
	path, tags := split(f.words[2])
	result.Data, err = client.Push(ctx, Push{File: file, Path: path, Arch: f.arch, Tags: tags, Description: f.description})
	return err
}

// pull asks for the image first, downloads, and compares the hash of the file: what the CLI does around its cache.
func pull(ctx context.Context, client Client, f flags, result *Result) error {
	path, selectors := split(f.words[1])
	if selectors == nil {
		selectors = []string{"latest"}
	}
	image, err := client.Get(ctx, f.arch, path+":"+selectors[0])
	if err != nil {
		return err
	}
	result.Data = image
	expected, err := hashOf(image)
	if err != nil {
		return err
	}
	file, err := os.Create(f.words[2])
	if err != nil {
		return err
	}
	defer file.Close()
	if err := client.Pull(ctx, Pull{File: file, Path: path, Selector: selectors[0], Arch: f.arch, PartSize: f.partSize, Stream: f.stream}); err != nil {
		return err
	}
	if result.Hash, err = client.Hash(f.words[2]); err != nil {
		return err
	}
	info, err := file.Stat()
	if err != nil {
		return err
	}
	result.Size = info.Size()
	if result.Hash != expected {
		return fmt.Errorf("cached file hash(%s) and expected hash(%s) does not match", result.Hash, expected)
	}
	return nil
}

func hashOf(image any) (string, error) {
	encoded, err := json.Marshal(image)
	if err != nil {
		return "", err
	}
	var fields struct {
		Hash string `json:"hash"`
	}
	err = json.Unmarshal(encoded, &fields)
	return fields.Hash, err
}
