/** What a program said, and how it ended. */
export interface Called {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface CallOptions {
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  /** Milliseconds; then the program is killed. Default 300,000. */
  readonly timeout?: number
  readonly input?: string
}

export interface Compose {
  /** Runs podman-compose and resolves with its stdout; rejects with its words when it fails. */
  run(args: readonly string[], options?: CallOptions): Promise<string>
  /** Name of the container of a service. */
  containerOf(service: string): string
}

/** Containers that run by podman, as root, in storage of this checkout. */
export interface Containers {
  /** Runs podman and resolves with its stdout; rejects with its words when it fails. */
  podman(args: readonly string[], options?: CallOptions): Promise<string>
  /** The same; any exit code is an answer. */
  tryPodman(args: readonly string[], options?: CallOptions): Promise<Called>
  findImage(tag: string): Promise<boolean>
  /** Makes the base images that Dockerfiles and compose files name, where they are missing; rejects with ContainersMissing. */
  makeBases(files: readonly string[]): Promise<void>
  /** Builds deploy/Dockerfile of a checkout (default: this one) and gives the image that tag. */
  build(tag: string, folder?: string): Promise<void>
  /** Bytes of an image of deploy/Dockerfile, and of its base image. */
  measure(tag: string): Promise<{ readonly size: number; readonly base: number }>
  /** A compose file as a project. The services that build deploy/Dockerfile run the image with the tag `image`. */
  openCompose(options: {
    readonly file: string
    readonly project: string
    readonly env: Readonly<Record<string, string>>
    readonly image: string
  }): Promise<Compose>
}

/** Thrown where no container can run on this machine. */
export class ContainersMissing extends Error {}

/** As root it installs what is missing. Rejects with ContainersMissing where no container can run. */
export function openContainers(): Promise<Containers>
