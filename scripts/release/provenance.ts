// Where a release comes from: an in-toto statement about every artefact, in the words of SLSA 1.0.
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

export const provenancePredicate = 'https://slsa.dev/provenance/v1'
const repository = 'https://github.com/ballast-dev/ballast'
const manual = `${repository}/blob/main/docs/release.md`

export interface ProvenanceParts {
  readonly root: string
  /** As commitOf tells it. */
  readonly revision: string
  readonly platforms: readonly string[]
  /** Names with SHA-256 in hex, of everything that the statement is about. */
  readonly subjects: readonly (readonly [name: string, sha256: string])[]
  readonly environment: Readonly<Record<string, string | undefined>>
}

/** The statement as JSON text. It names no time: the same release built twice by the same builder has the same. */
export function provenance({ root, revision, platforms, subjects, environment }: ProvenanceParts): string {
  const { GITHUB_SERVER_URL, GITHUB_WORKFLOW_REF, GITHUB_REPOSITORY, GITHUB_RUN_ID, GITHUB_RUN_ATTEMPT } = environment
  const isWorkflow = GITHUB_SERVER_URL !== undefined && GITHUB_WORKFLOW_REF !== undefined
  // What has changes that no commit holds is no commit: it gets no digest.
  const commit = /^[0-9a-f]{40}$/.test(revision) ? { digest: { gitCommit: revision } } : {}
  const lock = (path: string) => ({
    uri: `git+${repository}#${path}`,
    digest: {
      sha256: createHash('sha256')
        .update(readFileSync(join(root, path)))
        .digest('hex'),
    },
  })
  const statement = {
    _type: 'https://in-toto.io/Statement/v1',
    subject: subjects.map(([name, sha256]) => ({ name, digest: { sha256 } })),
    predicateType: provenancePredicate,
    predicate: {
      buildDefinition: {
        buildType: `${manual}#how-a-release-is-built`,
        externalParameters: { source: `git+${repository}`, revision, command: 'npm run release', platforms },
        resolvedDependencies: [
          { uri: `git+${repository}@${revision}`, ...commit },
          // These name every package with its hash.
          lock('package-lock.json'),
          lock('deploy/image/base.lock'),
        ],
      },
      runDetails: {
        builder: {
          id: isWorkflow ? `${GITHUB_SERVER_URL}/${GITHUB_WORKFLOW_REF}` : `${manual}#on-a-machine-of-your-own`,
          version: { node: process.version },
        },
        ...(isWorkflow && GITHUB_RUN_ID !== undefined
          ? {
              metadata: {
                invocationId: `${GITHUB_SERVER_URL}/${GITHUB_REPOSITORY ?? ''}/actions/runs/${GITHUB_RUN_ID}/attempts/${GITHUB_RUN_ATTEMPT ?? '1'}`,
              },
            }
          : {}),
      },
    },
  }
  return `${JSON.stringify(statement, undefined, 2)}\n`
}
