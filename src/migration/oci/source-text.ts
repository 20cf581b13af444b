// The text of an OCIRepository that has a chart.
import { parse, stringify } from 'yaml'
import type { Reference } from './chart-version.ts'

export interface ChartArtefact {
  readonly apiVersion: string
  readonly name: string
  /** As the release says it; absent where it says none, and a kustomization does. */
  readonly namespace?: string
  readonly interval: string
  readonly url: string
  readonly reference: Reference
  /** Further fields of `spec`, in their order. */
  readonly carried: Readonly<Record<string, unknown>>
}

interface Writing {
  readonly step: number
  readonly eol: string
  /** The version as it was written, with its quotes. */
  readonly raw: string | undefined
  /** Comments of the version. */
  readonly above: readonly string[]
  readonly beside: string | undefined
  readonly schema: string | undefined
}

/** Helm's own layer, whole: what helm-controller reads. */
const layerSelector = { mediaType: 'application/vnd.cncf.helm.chart.content.v1.tar+gzip', operation: 'copy' }

/** The object. */
export function sourceObject({ apiVersion, name, namespace, interval, url, reference, carried }: ChartArtefact) {
  return {
    apiVersion,
    kind: 'OCIRepository',
    metadata: { name, ...(namespace === undefined ? {} : { namespace }) },
    spec: { interval, layerSelector, ref: { [reference.key]: reference.value }, url, ...carried },
  }
}

/** The same as text, with an end of line behind its last one. */
export function sourceText(artefact: ChartArtefact, { step, eol, raw, above, beside, schema }: Writing): string {
  const { reference } = artefact
  const { spec, ...head } = sourceObject(artefact)
  const { interval, layerSelector: layers, ref: _, ...rest } = spec
  const print = (value: unknown) => stringify(value, { indent: step, lineWidth: 0, aliasDuplicateObjects: false })
  const indent = ' '.repeat(step)
  const below = (text: string) =>
    text
      .trimEnd()
      .split('\n')
      .map(line => `${indent}${line}`)
  // A number in the old place may be one version in quotes in the new.
  const value =
    reference.isSame && raw !== undefined && parse(raw) === reference.value ? raw : stringify(reference.value).trimEnd()
  const lines = [
    ...(schema === undefined ? [] : [sourceSchema(schema, artefact.apiVersion)]),
    ...print(head).trimEnd().split('\n'),
    'spec:',
    ...below(print({ interval, layerSelector: layers })),
    `${indent}ref:`,
    ...above.map(comment => `${indent}${indent}${comment}`),
    `${indent}${indent}${reference.key}: ${value}${beside === undefined ? '' : ` ${beside}`}`,
    ...below(print(rest)),
  ]
  return `${lines.join(eol)}${eol}`
}

/** The schema of a source where that of a release was named, by the two ways that are in use. */
function sourceSchema(comment: string, apiVersion: string): string {
  const version = apiVersion.split('/')[1] ?? 'v1'
  return comment
    .replace(/helm\.toolkit\.fluxcd\.io\/helmrelease_v\w+\.json/, `source.toolkit.fluxcd.io/ocirepository_${version}.json`)
    .replace(/helmrelease-helm-v\w+\.json/, `ocirepository-source-${version}.json`)
    .replace(/helmrelease_v\w+\.json/, `ocirepository_${version}.json`)
}
