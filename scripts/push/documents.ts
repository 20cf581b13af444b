// Manifests that are made here: a chart as Helm has it, and documents that refer to an image or a chart.
import { gunzipSync } from 'node:zlib'
import { parse } from 'yaml'
import { z } from 'zod'
import { digestOf } from '../image/layer.ts'
import { tarEntries } from '../image/tar-file.ts'
import type { Manifest } from './repository.ts'

const manifestType = 'application/vnd.oci.image.manifest.v1+json'
const emptyType = 'application/vnd.oci.empty.v1+json'

/** A manifest with the blobs that it names. */
export interface Artifact {
  readonly manifest: Manifest
  readonly digest: string
  readonly blobs: ReadonlyMap<string, Uint8Array>
}

interface Part {
  readonly mediaType: string
  readonly content: Uint8Array
  readonly annotations?: Readonly<Record<string, string>>
}

interface ArtifactParts {
  readonly artifactType?: string
  readonly config: Part
  readonly layers: readonly Part[]
  readonly subject?: { readonly digest: string; readonly manifest: Manifest }
  readonly annotations?: Readonly<Record<string, string>>
}

/** Puts a manifest together; the same parts give the same bytes. */
export function artifact({ artifactType, config, layers, subject, annotations }: ArtifactParts): Artifact {
  const blobs = new Map([config, ...layers].map(({ content }) => [digestOf(content), content]))
  const describe = ({ mediaType, content, annotations: own }: Part) => ({
    ...{ mediaType, digest: digestOf(content), size: content.length },
    ...(own === undefined ? {} : { annotations: own }),
  })
  const manifest = {
    schemaVersion: 2,
    mediaType: manifestType,
    ...(artifactType === undefined ? {} : { artifactType }),
    config: describe(config),
    layers: layers.map(describe),
    ...(subject === undefined
      ? {}
      : {
          subject: {
            mediaType: subject.manifest.mediaType,
            digest: subject.digest,
            size: subject.manifest.content.length,
          },
        }),
    ...(annotations === undefined ? {} : { annotations }),
  }
  const content = Buffer.from(JSON.stringify(manifest))
  return { manifest: { mediaType: manifestType, content }, digest: digestOf(content), blobs }
}

/** A document that refers to `subject`. `created` is RFC 3339. */
export function attachedDocument(
  subject: { readonly digest: string; readonly manifest: Manifest },
  document: Part,
  created: string,
): Artifact {
  return artifact({
    artifactType: document.mediaType,
    config: { mediaType: emptyType, content: Buffer.from('{}') },
    layers: [document],
    subject,
    annotations: { 'org.opencontainers.image.created': created, ...document.annotations },
  })
}

const chartFields = z.looseObject({ name: z.string(), version: z.string(), description: z.string().optional() })

/**
 * A chart as Helm pushes it: its configuration is Chart.yaml as JSON. `created` is RFC 3339.
 * @throws Error where the file is no packed chart
 */
export async function chartArtifact(chart: Uint8Array, created: string): Promise<Artifact & { readonly tag: string }> {
  let text: string | undefined
  for await (const { header, content } of tarEntries(gunzipSync(chart)))
    if (/^[^/]+\/Chart\.yaml$/.test(header.name)) text ??= content.toString('utf8')
  if (text === undefined) throw new Error('the chart has no Chart.yaml')
  const configuration: unknown = parse(text)
  const { name, version, description } = chartFields.parse(configuration)
  const made = artifact({
    config: { mediaType: 'application/vnd.cncf.helm.config.v1+json', content: Buffer.from(JSON.stringify(configuration)) },
    layers: [{ mediaType: 'application/vnd.cncf.helm.chart.content.v1.tar+gzip', content: chart }],
    annotations: {
      'org.opencontainers.image.created': created,
      ...(description === undefined ? {} : { 'org.opencontainers.image.description': description }),
      'org.opencontainers.image.title': name,
      'org.opencontainers.image.version': version,
    },
  })
  // A tag may not have a plus sign; Helm turns it back.
  return { ...made, tag: version.replaceAll('+', '_') }
}
