// A chart of the repository's own, as far as it is made of others' charts: `Chart.yaml` with dependencies.
import { listAt, textAt } from '#kube/objects/object-fields.ts'

export interface ChartFile {
  readonly file: string
  readonly dependencies: readonly ChartDependency[]
}

interface ChartDependency {
  readonly name: string
  readonly version: string | undefined
  readonly line: number
}

/** `undefined` for what is no `Chart.yaml`. `lineAt`: line of what lies at a path of the document. */
export function chartFile(
  value: unknown,
  file: string,
  lineAt: (path: readonly (string | number)[]) => number,
): ChartFile | undefined {
  if (!/(^|\/)Chart\.ya?ml$/.test(file)) return undefined
  const dependencies = listAt(value, 'dependencies').flatMap((entry, index) => {
    const name = textAt(entry, 'name')
    return name === undefined ? [] : [{ name, version: textAt(entry, 'version'), line: lineAt(['dependencies', index]) }]
  })
  return { file, dependencies }
}
