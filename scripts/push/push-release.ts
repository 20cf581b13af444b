// A folder of artefacts into a registry: image and chart, what is known about them, signatures, and at the very end their tags. Whoever sees a
// tag finds everything that belongs to it; what was broken off is gone on with by the same command.
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { billMediaType } from '../image/bill-of-materials.ts'
import { digestOf } from '../image/layer.ts'
import { provenancePredicate } from '../release/provenance.ts'
import { attachedDocument, chartArtifact } from './documents.ts'
import { layoutBlob, layoutContent } from './layout-content.ts'
import type { RegistryConnection } from './registry-connection.ts'
import { type Manifest, Repository } from './repository.ts'
import { attest, putBlobs, type Signed, signManifest } from './signatures.ts'
import type { SigningKey } from './signing-key.ts'
import type { Target } from './target.ts'

export interface PushOptions {
  /** What `npm run release` made. */
  readonly folder: string
  readonly target: Target
  readonly connection: RegistryConnection
  readonly key: SigningKey | undefined
  /** Whether a tag may be taken from what it names now. */
  readonly replacesTags: boolean
  readonly say: (line: string) => void
}

export interface Pushed {
  /** With its tag: `ghcr.io/ballast-dev/ballast:0.1.0` */
  readonly reference: string
  readonly digest: string
}

const releaseSchema = z.object({
  version: z.string(),
  created: z.string(),
  artefacts: z.array(
    z.looseObject({ name: z.string(), kind: z.string(), about: z.string().optional(), sha256: z.string().optional() }),
  ),
})
type Release = z.infer<typeof releaseSchema>

/** Pushes image and chart. @throws Error before anything is sent where the folder is not whole, or a tag names something else */
export async function pushRelease(options: PushOptions): Promise<{ readonly image: Pushed; readonly chart: Pushed }> {
  const { folder, target, connection, say } = options
  const list = join(folder, 'release.json')
  if (!existsSync(list))
    throw new Error(`${folder} has no release.json: npm run release -- --out ${folder} makes a whole release`)
  const release = releaseSchema.parse(JSON.parse(readFileSync(list, 'utf8')))
  const { created } = release
  const statement = artefact(folder, release, 'provenance')
  const layout = join(folder, 'image', 'layout')
  const content = layoutContent(layout)
  const chart = await chartArtifact(artefact(folder, release, 'chart'), created)
  const chartBill = artefact(folder, release, 'bill-of-materials', 'chart')
  // The tag of an image has the same letters as Helm's.
  const imageTag = release.version.replaceAll('+', '_')
  const images = new Repository(connection, target.image)
  const charts = new Repository(connection, target.chart)
  await refuseOtherTag(images, imageTag, content.index.digest, options)
  await refuseOtherTag(charts, chart.tag, chart.digest, options)

  for (const [index, digest] of content.blobs.entries()) {
    const blob = layoutBlob(layout, digest)
    const sent = await images.putBlob(digest, blob)
    say(`image: blob ${index + 1} of ${content.blobs.length}, ${(blob.length / 1e6).toFixed(1)} MB${sent ? '' : ', is there'}`)
  }
  for (const platform of content.platforms) await images.putManifest(platform)
  await images.putManifest(content.index)
  for (const attached of content.attached) await images.putManifest(attached)
  const image: Signed = { digest: content.index.digest, manifest: content.index }
  await tell(images, image, options, { statement, created })
  // A node asks for its own platform's manifest: some policies look for a signature of that.
  for (const { digest, mediaType, content: own } of content.platforms)
    await signWith(images, { digest, manifest: { mediaType, content: own } }, options, created)

  say('chart')
  await putBlobs(charts, chart)
  await charts.putManifest(chart.manifest)
  const bill = attachedDocument(chart, { mediaType: billMediaType, content: chartBill }, created)
  await putBlobs(charts, bill)
  await charts.putManifest(bill.manifest)
  await tell(charts, chart, options, { statement, created })

  say('tags')
  await images.putManifest(content.index, imageTag)
  await charts.putManifest(chart.manifest, chart.tag)
  return {
    image: { reference: `${target.registry}/${target.image}:${imageTag}`, digest: image.digest },
    chart: { reference: `${target.registry}/${target.chart}:${chart.tag}`, digest: chart.digest },
  }
}

/** Attaches the provenance, and signs where there is a key. */
async function tell(
  repository: Repository,
  subject: Signed,
  options: PushOptions,
  { statement, created }: { readonly statement: Uint8Array; readonly created: string },
): Promise<void> {
  const document = attachedDocument(
    subject,
    {
      mediaType: 'application/vnd.in-toto+json',
      content: statement,
      annotations: { 'in-toto.io/predicate-type': provenancePredicate },
    },
    created,
  )
  await putBlobs(repository, document)
  await repository.putManifest(document.manifest)
  await signWith(repository, subject, options, created)
  const { key } = options
  if (key !== undefined) await attest(repository, subject, key, { statement, predicate: provenancePredicate, created })
}

async function signWith(repository: Repository, subject: Signed, { key, target }: PushOptions, created: string): Promise<void> {
  if (key === undefined) return
  await signManifest(repository, subject, key, { reference: `${target.registry}/${repository.name}`, created })
}

async function refuseOtherTag(
  repository: Repository,
  tag: string,
  digest: string,
  { target, replacesTags }: PushOptions,
): Promise<void> {
  const there: Manifest | undefined = await repository.manifest(tag)
  const other = there === undefined ? digest : digestOf(there.content)
  if (other === digest || replacesTags) return
  throw new Error(
    `${target.registry}/${repository.name}:${tag} names ${other} and not ${digest}: somebody may rely on it, so nothing is pushed; --replace-tags takes it`,
  )
}

/** A file of the folder. @throws Error where there is none of its kind, or it is not what the list says */
function artefact(folder: string, { artefacts }: Release, kind: string, about?: string): Buffer {
  const found = artefacts.find(one => one.kind === kind && (about === undefined || one.about === about))
  if (found === undefined)
    throw new Error(
      `${folder} lists no ${about === undefined ? '' : `${about}'s `}${kind}: an older program made it; build the release anew`,
    )
  const content = readFileSync(join(folder, found.name))
  if (createHash('sha256').update(content).digest('hex') !== found.sha256)
    throw new Error(`${join(folder, found.name)} is not what release.json says: build the release anew`)
  return content
}
