// A helmfile as data: which releases it has, in which order they are installed, and which of their values files are missing.
import { existsSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { at, listAt, textAt } from '#kube/objects/object-fields.ts'

export interface HelmfileRelease {
  readonly name: string
  readonly namespace: string | undefined
  readonly chart: string
  readonly version: string | undefined
  readonly line: number
  /** As they are written: `name`, `namespace/name`, `context/namespace/name`. */
  readonly needs: readonly string[]
  /** Values, and names of files with values. */
  readonly values: readonly unknown[]
  /** Values files that are not there, from the repository's root. */
  readonly missing: readonly string[]
}

export interface Helmfile {
  readonly file: string
  readonly line: number
  readonly releases: readonly HelmfileRelease[]
}

interface HelmfilePlace {
  readonly root: string
  readonly file: string
  readonly line: number
  /** Line of what lies at a path of the document. */
  readonly lineAt: (path: readonly (string | number)[]) => number
}

/** `undefined` for a document that is no helmfile. */
export function asHelmfile(value: unknown, { root, file, line, lineAt }: HelmfilePlace): Helmfile | undefined {
  const found = listAt(value, 'releases')
    .map((release, index) => ({ release, index }))
    .filter(({ release }) => textAt(release, 'name') !== undefined && textAt(release, 'chart') !== undefined)
  if (textAt(value, 'apiVersion') !== undefined || found.length === 0) return undefined
  const releases = found
    .filter(({ release }) => at(release, 'installed') !== false)
    .map(({ release, index }): HelmfileRelease => {
      const chart = textAt(release, 'chart') ?? ''
      return {
        name: textAt(release, 'name') ?? '',
        namespace: textAt(release, 'namespace'),
        chart,
        version: textAt(release, 'version'),
        line: lineAt(['releases', index]),
        needs: listAt(release, 'needs').map(String),
        values: listAt(release, 'values'),
        missing: missingFiles(release, root, file),
      }
    })
  return { file, line, releases }
}

/** Only plain paths below the repository's root; what is a template, a pattern or elsewhere is not looked for. */
function missingFiles(release: unknown, root: string, file: string): readonly string[] {
  return [...listAt(release, 'values'), ...listAt(release, 'secrets')].flatMap(entry => {
    if (typeof entry !== 'string' || /\{\{|[*?[]|^[a-z+]+:|^[/~]/.test(entry)) return []
    const path = relative('', join(dirname(file), entry))
    if (path.startsWith('..') || existsSync(join(root, path))) return []
    return [path]
  })
}
