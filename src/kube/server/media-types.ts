// What an Accept header asks for: media types with their parameters, and the shape an API server is to answer in.
import { type AnswerFormat, contentTypes } from './answer-bodies.ts'

interface MediaRange {
  readonly type: string
  readonly parameters: Readonly<Record<string, string>>
}

/** The media ranges of an Accept header, the most wanted first: by `q`, then what is named before what is left open, then as they stand. */
export function mediaRanges(accept: string): readonly MediaRange[] {
  const ranges = accept.split(',').flatMap(part => {
    const [type = '', ...pairs] = part.split(';').map(piece => piece.trim())
    if (type === '') return []
    const parameters: Record<string, string> = {}
    for (const pair of pairs) {
      const equals = pair.indexOf('=')
      if (equals > 0) parameters[pair.slice(0, equals)] = pair.slice(equals + 1)
    }
    return [{ type: type.toLowerCase(), parameters }]
  })
  return ranges.toSorted((one, other) => quality(other) - quality(one) || openness(one) - openness(other))
}

function quality({ parameters }: MediaRange): number {
  const q = Number(parameters['q'] ?? 1)
  return q >= 0 && q <= 1 ? q : 1
}

function openness({ type }: MediaRange): number {
  return type.startsWith('*/') ? 2 : type.endsWith('/*') ? 1 : 0
}

export interface AcceptedShape {
  readonly shape: 'object' | 'table' | 'metadata'
  /** `v1` or `v1beta1` of meta.k8s.io, for tables and metadata. */
  readonly version: string
}

/** The form in which a media type is answered; undefined where it is none of ours. */
export function formatOf(type: string): AnswerFormat | undefined {
  if (type === '*/*' || type === 'application/*') return 'json'
  return formats.find(format => contentTypes[format] === type)
}

const formats: readonly AnswerFormat[] = ['json', 'yaml', 'protobuf']

/** The shape that a media range asks for; undefined where it is none of ours. */
export function shapeOf({ parameters }: MediaRange): AcceptedShape | undefined {
  const { as, v } = parameters
  if (as === undefined) return { shape: 'object', version: 'v1' }
  if (parameters['g'] !== 'meta.k8s.io' || (v !== 'v1' && v !== 'v1beta1')) return undefined
  if (as === 'Table') return { shape: 'table', version: v }
  if (as === 'PartialObjectMetadata' || as === 'PartialObjectMetadataList') return { shape: 'metadata', version: v }
  return undefined
}

/** The version (`v2`, `v2beta1`) in which aggregated discovery is asked for; undefined where it is not. */
export function discoveryVersion(accept: string): string | undefined {
  const version = mediaRanges(accept).find(
    ({ type, parameters }) =>
      type === 'application/json' && parameters['as'] === 'APIGroupDiscoveryList' && parameters['g'] === 'apidiscovery.k8s.io',
  )?.parameters['v']
  return version === 'v2' || version === 'v2beta1' ? version : undefined
}
