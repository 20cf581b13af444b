// The plug-in for krew: its manifest, as the krew index takes it. Its archives are apart from the others, since krew unpacks no symbolic links.
import { stringify } from 'yaml'
import type { CountedArtefact, ReleaseFacts } from './artefacts.ts'

/** What the archive for a platform is called. */
export function krewArchiveName({ version }: ReleaseFacts, architecture: string): string {
  return `ballast-${version}-krew-linux-${architecture}.tar.gz`
}

/**
 * The manifest (`ballast.yaml`) of archives whose platforms and sums are known. `homepage` is the repository's page, whose releases have the archives.
 * @throws Error where an archive has no platform or no sum
 */
export function krewManifest({ version }: ReleaseFacts, homepage: string, archives: readonly CountedArtefact[]): string {
  return stringify({
    apiVersion: 'krew.googlecontainertools.github.com/v1alpha2',
    kind: 'Plugin',
    metadata: { name: 'ballast' },
    spec: {
      version: `v${version}`,
      homepage,
      shortDescription: 'Plan, try and explain disruptions',
      description: [
        'Says who disrupts what in a cluster and why, plans moves that balance its',
        'nodes with a proof for each, and plays plans and what-ifs on a twin, an API',
        'server with simulated nodes. Reads dumps too, and needs nothing installed.',
        '',
      ].join('\n'),
      caveats: [
        'Needs Linux with glibc 2.28 or newer and libstdc++. For completion, save as',
        'kubectl_complete-ballast on your PATH, and make executable, what this says:',
        '  kubectl ballast completion kubectl',
        '',
      ].join('\n'),
      platforms: archives.map(({ name, platform, sha256 }) => {
        const [os, arch] = platform?.split('/') ?? []
        if (os === undefined || arch === undefined || sha256 === undefined)
          throw new Error(`${name}: a plug-in's archive has a platform, as linux/amd64, and a sum`)
        const uri = `${homepage}/releases/download/v${version}/${name}`
        return { selector: { matchLabels: { os, arch } }, uri, sha256, bin: 'ballast' }
      }),
    },
  })
}
