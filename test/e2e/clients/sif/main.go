// Makes and reads SIF files with the ordinary SIF library, so that our own reader and our own fixtures are held against it.
//
//	sif make FILE --size BYTES --arch ARCH [--seed N] [--encrypted] [--fingerprint HEX]...
//	sif read FILE
//
// Both print one line of JSON about the file.
package main

import (
	"bytes"
	"crypto"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand"
	"os"

	"github.com/sylabs/sif/v2/pkg/sif"
)

type object struct {
	ID          uint32 `json:"id"`
	Type        string `json:"type"`
	Name        string `json:"name"`
	Group       uint32 `json:"group"`
	Offset      int64  `json:"offset"`
	Size        int64  `json:"size"`
	FileSystem  string `json:"fileSystem,omitempty"`
	Partition   string `json:"partition,omitempty"`
	Arch        string `json:"arch,omitempty"`
	Hash        string `json:"hash,omitempty"`
	Fingerprint string `json:"fingerprint,omitempty"`
}

type description struct {
	Version    string   `json:"version"`
	Arch       string   `json:"arch"`
	ID         string   `json:"id"`
	Launch     string   `json:"launch"`
	CreatedAt  int64    `json:"createdAt"`
	ModifiedAt int64    `json:"modifiedAt"`
	Free       int64    `json:"descriptorsFree"`
	Total      int64    `json:"descriptorsTotal"`
	DataOffset int64    `json:"dataOffset"`
	DataSize   int64    `json:"dataSize"`
	Size       int64    `json:"size"`
	Objects    []object `json:"objects"`
}

// partitionOffset is where the first object of a file with 48 descriptors at 4096 lies, aligned to a page of 4096 bytes.
const partitionOffset = 32768

const signatureSize = 512

// partition is the padding of the file: bytes that differ everywhere, so that a part in the wrong place is seen.
func partition(size, seed int64, arch string, encrypted bool) (sif.DescriptorInput, error) {
	kind := sif.FsSquash
	if encrypted {
		kind = sif.FsEncryptedSquashfs
	}
	magic := []byte("hsqs")
	body := io.MultiReader(bytes.NewReader(magic), io.LimitReader(rand.New(rand.NewSource(seed)), size-int64(len(magic))))
	return sif.NewDescriptorInput(sif.DataPartition, body,
		sif.OptObjectName("squashfs"),
		sif.OptObjectAlignment(4096),
		sif.OptPartitionMetadata(kind, sif.PartPrimSys, arch))
}

func signature(fingerprint string) (sif.DescriptorInput, error) {
	raw, err := hex.DecodeString(fingerprint)
	if err != nil {
		return sif.DescriptorInput{}, err
	}
	body := bytes.NewReader(bytes.Repeat([]byte{'s'}, signatureSize))
	return sif.NewDescriptorInput(sif.DataSignature, body,
		sif.OptObjectAlignment(1), sif.OptNoGroup(), sif.OptLinkedGroupID(1), sif.OptSignatureMetadata(crypto.SHA256, raw))
}

type fingerprints []string

func (f *fingerprints) String() string { return fmt.Sprint(*f) }

func (f *fingerprints) Set(value string) error {
	*f = append(*f, value)
	return nil
}

func create(file string, arguments []string) error {
	var signers fingerprints
	set := flag.NewFlagSet("make", flag.ContinueOnError)
	size := set.Int64("size", 100_000, "bytes of the whole file")
	arch := set.String("arch", "amd64", "architecture, a Go name")
	seed := set.Int64("seed", 1, "of the content")
	encrypted := set.Bool("encrypted", false, "an encrypted partition")
	set.Var(&signers, "fingerprint", "40 hex digits of a signer; may be repeated")
	if err := set.Parse(arguments); err != nil {
		return err
	}
	rest := *size - partitionOffset - int64(len(signers))*signatureSize
	if rest < 4 {
		return errors.New("too small for a SIF file")
	}
	input, err := partition(rest, *seed, *arch, *encrypted)
	if err != nil {
		return err
	}
	inputs := []sif.DescriptorInput{input}
	for _, signer := range signers {
		input, err := signature(signer)
		if err != nil {
			return err
		}
		inputs = append(inputs, input)
	}
	image, err := sif.CreateContainerAtPath(file, sif.OptCreateWithLaunchScript("#!/usr/bin/env run-singularity\n"), sif.OptCreateWithDescriptors(inputs...))
	if err != nil {
		return err
	}
	return image.UnloadContainer()
}

func describeObject(descriptor sif.Descriptor) (object, error) {
	made := object{
		ID: descriptor.ID(), Type: descriptor.DataType().String(), Name: descriptor.Name(), Group: descriptor.GroupID(),
		Offset: descriptor.Offset(), Size: descriptor.Size(),
	}
	switch descriptor.DataType() {
	case sif.DataPartition:
		fileSystem, kind, arch, err := descriptor.PartitionMetadata()
		if err != nil {
			return made, err
		}
		made.FileSystem, made.Partition, made.Arch = fileSystem.String(), kind.String(), arch
	case sif.DataSignature:
		hash, fingerprint, err := descriptor.SignatureMetadata()
		if err != nil {
			return made, err
		}
		made.Hash, made.Fingerprint = hash.String(), hex.EncodeToString(fingerprint)
	}
	return made, nil
}

func describe(file string) (description, error) {
	image, err := sif.LoadContainerFromPath(file, sif.OptLoadWithFlag(os.O_RDONLY))
	if err != nil {
		return description{}, err
	}
	defer image.UnloadContainer()
	info, err := os.Stat(file)
	if err != nil {
		return description{}, err
	}
	made := description{
		Version: image.Version(), Arch: image.PrimaryArch(), ID: image.ID(), Launch: image.LaunchScript(),
		CreatedAt: image.CreatedAt().Unix(), ModifiedAt: image.ModifiedAt().Unix(),
		Free: image.DescriptorsFree(), Total: image.DescriptorsTotal(),
		DataOffset: image.DataOffset(), DataSize: image.DataSize(), Size: info.Size(), Objects: []object{},
	}
	image.WithDescriptors(func(descriptor sif.Descriptor) bool {
		var next object
		next, err = describeObject(descriptor)
		made.Objects = append(made.Objects, next)
		return err != nil
	})
	return made, err
}

func run(arguments []string) error {
	if len(arguments) < 2 {
		return errors.New("usage: sif make FILE [flags] | sif read FILE")
	}
	if arguments[0] == "make" {
		if err := create(arguments[1], arguments[2:]); err != nil {
			return err
		}
	}
	made, err := describe(arguments[1])
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(made)
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
