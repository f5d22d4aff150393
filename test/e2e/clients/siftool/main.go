// The official `siftool`, with three commands of ours over the same library, whose answers are one line of JSON:
//
//	siftool describe FILE
//	siftool judge FILE [--pgp KEYRING]... [--pem PUBLIC]... [--legacy]
//	siftool sign FILE [--pgp PRIVATE] [--pem PRIVATE] [--group N]... [--object N]...
//
// `judge` says what `singularity verify` and `push` find: whether the file holds, and of each signature that was looked at what
// is wrong with it.
package main

import (
	"crypto"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/sigstore/sigstore/pkg/cryptoutils"
	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/spf13/cobra"
	"github.com/sylabs/sif/v2/pkg/integrity"
	"github.com/sylabs/sif/v2/pkg/sif"
	"github.com/sylabs/sif/v2/pkg/siftool"
)

type object struct {
	ID          uint32 `json:"id"`
	Type        string `json:"type"`
	Name        string `json:"name"`
	Group       uint32 `json:"group"`
	Link        uint32 `json:"link"`
	LinkIsGroup bool   `json:"linkIsGroup"`
	Offset      int64  `json:"offset"`
	Size        int64  `json:"size"`
	CreatedAt   int64  `json:"createdAt"`
	FileSystem  string `json:"fileSystem,omitempty"`
	Partition   string `json:"partition,omitempty"`
	Arch        string `json:"arch,omitempty"`
	Hash        string `json:"hash,omitempty"`
	Fingerprint string `json:"fingerprint,omitempty"`
	Format      string `json:"format,omitempty"`
	Message     string `json:"message,omitempty"`
	Digest      string `json:"digest,omitempty"`
}

type description struct {
	Version string   `json:"version"`
	Arch    string   `json:"arch"`
	ID      string   `json:"id"`
	Launch  string   `json:"launch"`
	Slots   int64    `json:"slots"`
	Objects []object `json:"objects"`
}

func describeObject(descriptor sif.Descriptor) (object, error) {
	made := object{
		ID: descriptor.ID(), Type: descriptor.DataType().String(), Name: descriptor.Name(), Group: descriptor.GroupID(),
		Offset: descriptor.Offset(), Size: descriptor.Size(), CreatedAt: descriptor.CreatedAt().Unix(),
	}
	made.Link, made.LinkIsGroup = descriptor.LinkedID()
	var err error
	switch descriptor.DataType() {
	case sif.DataPartition:
		fileSystem, kind, arch, failed := descriptor.PartitionMetadata()
		made.FileSystem, made.Partition, made.Arch, err = fileSystem.String(), kind.String(), arch, failed
	case sif.DataSignature:
		hash, fingerprint, failed := descriptor.SignatureMetadata()
		made.Hash, made.Fingerprint, err = hash.String(), hex.EncodeToString(fingerprint), failed
	case sif.DataCryptoMessage:
		format, message, failed := descriptor.CryptoMessageMetadata()
		made.Format, made.Message, err = format.String(), message.String(), failed
	case sif.DataSBOM:
		format, failed := descriptor.SBOMMetadata()
		made.Format, err = format.String(), failed
	case sif.DataOCIRootIndex, sif.DataOCIBlob:
		digest, failed := descriptor.OCIBlobDigest()
		made.Digest, err = digest.String(), failed
	}
	return made, err
}

func describe(file string) (description, error) {
	image, err := sif.LoadContainerFromPath(file, sif.OptLoadWithFlag(os.O_RDONLY))
	if err != nil {
		return description{}, err
	}
	defer func() { _ = image.UnloadContainer() }()
	made := description{
		Version: image.Version(), Arch: image.PrimaryArch(), ID: image.ID(), Launch: image.LaunchScript(),
		Slots: image.DescriptorsTotal(), Objects: []object{},
	}
	image.WithDescriptors(func(descriptor sif.Descriptor) bool {
		var next object
		next, err = describeObject(descriptor)
		made.Objects = append(made.Objects, next)
		return err != nil
	})
	return made, err
}

type judgedSignature struct {
	ID          uint32   `json:"id"`
	Error       string   `json:"error,omitempty"`
	Fingerprint string   `json:"fingerprint,omitempty"`
	Verified    []uint32 `json:"verified"`
}

type judgement struct {
	Holds      bool              `json:"holds"`
	Error      string            `json:"error,omitempty"`
	Signatures []judgedSignature `json:"signatures"`
}

func judge(file string, pgp, pems []string, legacy bool) (judgement, error) {
	image, err := sif.LoadContainerFromPath(file, sif.OptLoadWithFlag(os.O_RDONLY))
	if err != nil {
		return judgement{}, err
	}
	defer func() { _ = image.UnloadContainer() }()
	made := judgement{Signatures: []judgedSignature{}}
	keys := openpgp.EntityList{}
	for _, name := range pgp {
		ring, err := readKeys(name)
		if err != nil {
			return made, err
		}
		keys = append(keys, ring...)
	}
	options := []integrity.VerifierOpt{
		integrity.OptVerifyWithKeyRing(keys),
		integrity.OptVerifyCallback(func(result integrity.VerifyResult) bool {
			judged := judgedSignature{ID: result.Signature().ID(), Verified: []uint32{}}
			if result.Error() != nil {
				judged.Error = result.Error().Error()
			}
			if entity := result.Entity(); entity != nil {
				judged.Fingerprint = hex.EncodeToString(entity.PrimaryKey.Fingerprint)
			}
			for _, descriptor := range result.Verified() {
				judged.Verified = append(judged.Verified, descriptor.ID())
			}
			made.Signatures = append(made.Signatures, judged)
			return false
		}),
	}
	for _, name := range pems {
		text, err := os.ReadFile(name)
		if err != nil {
			return made, err
		}
		key, err := cryptoutils.UnmarshalPEMToPublicKey(text)
		if err != nil {
			return made, err
		}
		verifier, err := signature.LoadVerifier(key, crypto.SHA256)
		if err != nil {
			return made, err
		}
		options = append(options, integrity.OptVerifyWithVerifier(verifier))
	}
	if legacy {
		options = append(options, integrity.OptVerifyLegacy())
	}
	verifier, err := integrity.NewVerifier(image, options...)
	if err == nil {
		err = verifier.Verify()
	}
	made.Holds = err == nil
	if err != nil {
		made.Error = err.Error()
	}
	return made, nil
}

func readKeys(name string) (openpgp.EntityList, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	return openpgp.ReadArmoredKeyRing(file)
}

func sign(file, pgp, pem string, groups, objects []uint) error {
	image, err := sif.LoadContainerFromPath(file, sif.OptLoadWithFlag(os.O_RDWR))
	if err != nil {
		return err
	}
	defer func() { _ = image.UnloadContainer() }()
	options := []integrity.SignerOpt{}
	if pgp != "" {
		ring, err := readKeys(pgp)
		if err != nil {
			return err
		}
		if len(ring) != 1 {
			return errors.New("the file holds no single key")
		}
		options = append(options, integrity.OptSignWithEntity(ring[0]))
	}
	if pem != "" {
		signer, err := signature.LoadSignerFromPEMFile(pem, crypto.SHA256, cryptoutils.SkipPassword)
		if err != nil {
			return err
		}
		options = append(options, integrity.OptSignWithSigner(signer))
	}
	for _, group := range groups {
		options = append(options, integrity.OptSignGroup(uint32(group)))
	}
	ids := []uint32{}
	for _, id := range objects {
		ids = append(ids, uint32(id))
	}
	if len(ids) > 0 {
		options = append(options, integrity.OptSignObjects(ids...))
	}
	signer, err := integrity.NewSigner(image, options...)
	if err != nil {
		return err
	}
	return signer.Sign()
}

func print(out io.Writer, value any) error {
	return json.NewEncoder(out).Encode(value)
}

func commands() *cobra.Command {
	root := &cobra.Command{Use: "siftool", SilenceUsage: true}
	root.AddCommand(&cobra.Command{
		Use: "describe FILE", Args: cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, arguments []string) error {
			made, err := describe(arguments[0])
			if err != nil {
				return err
			}
			return print(command.OutOrStdout(), made)
		},
	})
	var pgp, pems []string
	var legacy bool
	judging := &cobra.Command{
		Use: "judge FILE", Args: cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, arguments []string) error {
			made, err := judge(arguments[0], pgp, pems, legacy)
			if err != nil {
				return err
			}
			return print(command.OutOrStdout(), made)
		},
	}
	judging.Flags().StringArrayVar(&pgp, "pgp", nil, "an armored keyring")
	judging.Flags().StringArrayVar(&pems, "pem", nil, "a public key")
	judging.Flags().BoolVar(&legacy, "legacy", false, "look at legacy signatures alone")
	root.AddCommand(judging)
	var pgpKey, pemKey string
	var groups, objects []uint
	signing := &cobra.Command{
		Use: "sign FILE", Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, arguments []string) error {
			return sign(arguments[0], pgpKey, pemKey, groups, objects)
		},
	}
	signing.Flags().StringVar(&pgpKey, "pgp", "", "an armored private key")
	signing.Flags().StringVar(&pemKey, "pem", "", "a private key")
	signing.Flags().UintSliceVar(&groups, "group", nil, "a group")
	signing.Flags().UintSliceVar(&objects, "object", nil, "an object")
	root.AddCommand(signing)
	return root
}

func main() {
	root := commands()
	if err := siftool.AddCommands(root); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if err := root.Execute(); err != nil {
		os.Exit(1)
	}
}
