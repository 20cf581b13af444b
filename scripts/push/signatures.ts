// What cosign makes, made here: signatures under the tag `sha256-….sig` (simple signing), attestations under `….att` (DSSE), and both as
// bundles among the referrers, as cosign 3 looks for them. Nothing is signed anew that this key has signed already.
import { createHash } from 'node:crypto'
import { z } from 'zod'
import { digestOf } from '../image/layer.ts'
import { type Artifact, artifact, attachedDocument } from './documents.ts'
import type { Manifest, Repository } from './repository.ts'
import type { SigningKey } from './signing-key.ts'

const simpleType = 'application/vnd.dev.cosign.simplesigning.v1+json'
const envelopeType = 'application/vnd.dsse.envelope.v1+json'
const bundleType = 'application/vnd.dev.sigstore.bundle.v0.3+json'
const statementType = 'application/vnd.in-toto+json'
const signatureAnnotation = 'dev.cosignproject.cosign/signature'
const signPredicate = 'https://sigstore.dev/cosign/sign/v1'

export interface Signed {
  readonly digest: string
  readonly manifest: Manifest
}

/** Signs a manifest of the repository in both forms. `reference` is the repository's full name; `created` is RFC 3339. */
export async function signManifest(
  repository: Repository,
  subject: Signed,
  key: SigningKey,
  { reference, created }: { readonly reference: string; readonly created: string },
): Promise<void> {
  const payload = Buffer.from(
    JSON.stringify({
      critical: {
        identity: { 'docker-reference': reference },
        image: { 'docker-manifest-digest': subject.digest },
        type: 'cosign container image signature',
      },
      optional: null,
    }),
  )
  await addLayer(repository, `${tagOf(subject)}.sig`, payload, {
    mediaType: simpleType,
    isSigned: annotations => key.isOwn(payload, annotations[signatureAnnotation] ?? ''),
    annotate: () => ({ content: payload, annotations: { [signatureAnnotation]: key.sign(payload) } }),
  })
  const statement = {
    _type: 'https://in-toto.io/Statement/v1',
    subject: [{ name: reference, digest: { sha256: subject.digest.slice('sha256:'.length) } }],
    predicateType: signPredicate,
    predicate: {},
  }
  await addBundle(repository, subject, key, {
    statement: Buffer.from(JSON.stringify(statement)),
    predicate: signPredicate,
    created,
  })
}

/** Signs an in-toto statement about a manifest in both forms. */
export async function attest(
  repository: Repository,
  subject: Signed,
  key: SigningKey,
  about: { readonly statement: Uint8Array; readonly predicate: string; readonly created: string },
): Promise<void> {
  const { statement, predicate } = about
  await addLayer(repository, `${tagOf(subject)}.att`, undefined, {
    mediaType: envelopeType,
    isSigned: (_, content) => isOwnEnvelope(content, statement, key),
    annotate: () => ({
      content: Buffer.from(JSON.stringify(envelope(statement, key))),
      annotations: { [signatureAnnotation]: '', predicateType: predicate },
    }),
  })
  await addBundle(repository, subject, key, about)
}

const tagOf = ({ digest }: Signed): string => digest.replace(':', '-')

const kept = z.looseObject({
  mediaType: z.string(),
  digest: z.string(),
  size: z.number(),
  annotations: z.record(z.string(), z.string()).optional(),
})
const keptManifest = z.looseObject({ layers: z.array(kept) })

interface LayerToAdd {
  readonly mediaType: string
  isSigned(annotations: Readonly<Record<string, string>>, content: Uint8Array): boolean
  annotate(): { readonly content: Uint8Array; readonly annotations: Readonly<Record<string, string>> }
}

/** Adds a layer to what is under the tag: signatures of others stay. `payload` is what such a layer holds, where that is known before. */
async function addLayer(
  repository: Repository,
  tag: string,
  payload: Uint8Array | undefined,
  { mediaType, isSigned, annotate }: LayerToAdd,
): Promise<void> {
  const there = await repository.manifest(tag)
  const layers = there === undefined ? [] : keptManifest.parse(JSON.parse(Buffer.from(there.content).toString('utf8'))).layers
  const own = payload === undefined ? undefined : digestOf(payload)
  for (const one of layers) {
    if (one.mediaType !== mediaType || (own !== undefined && one.digest !== own)) continue
    if (isSigned(one.annotations ?? {}, payload ?? (await repository.blob(one.digest)))) return
  }
  const { content, annotations } = annotate()
  const added = { mediaType, digest: digestOf(content), size: content.length, annotations }
  await repository.putBlob(added.digest, content)
  const all = [...layers, added]
  // Cosign reads it as an image: it has a configuration that names the layers.
  const configuration = Buffer.from(
    JSON.stringify({
      architecture: '',
      os: '',
      config: {},
      rootfs: { type: 'layers', diff_ids: all.map(({ digest }) => digest) },
    }),
  )
  const made = artifact({
    config: { mediaType: 'application/vnd.oci.image.config.v1+json', content: configuration },
    layers: [],
  })
  await putBlobs(repository, made)
  const manifest = { ...z.looseObject({}).parse(JSON.parse(Buffer.from(made.manifest.content).toString('utf8'))), layers: all }
  await repository.putManifest({ mediaType: made.manifest.mediaType, content: Buffer.from(JSON.stringify(manifest)) }, tag)
}

const bundleSchema = z.looseObject({ dsseEnvelope: z.unknown() })

async function addBundle(
  repository: Repository,
  subject: Signed,
  key: SigningKey,
  { statement, predicate, created }: { readonly statement: Uint8Array; readonly predicate: string; readonly created: string },
): Promise<void> {
  // Not every registry tells the kind of what it lists: the manifest does.
  for (const { digest } of await repository.referrers(subject.digest)) {
    const manifest = await repository.manifest(digest)
    if (manifest === undefined) continue
    for (const layer of keptManifest.parse(JSON.parse(Buffer.from(manifest.content).toString('utf8'))).layers) {
      if (layer.mediaType !== bundleType) continue
      const { dsseEnvelope } = bundleSchema.parse(JSON.parse((await repository.blob(layer.digest)).toString('utf8')))
      if (isOwnEnvelope(Buffer.from(JSON.stringify(dsseEnvelope ?? {})), statement, key)) return
    }
  }
  const bundle = {
    mediaType: bundleType,
    verificationMaterial: { publicKey: { hint: createHash('sha256').update(key.publicKey).digest('base64') } },
    dsseEnvelope: envelope(statement, key),
  }
  const made = attachedDocument(
    subject,
    {
      mediaType: bundleType,
      content: Buffer.from(JSON.stringify(bundle)),
      annotations: { 'dev.sigstore.bundle.content': 'dsse-envelope', 'dev.sigstore.bundle.predicateType': predicate },
    },
    created,
  )
  await putBlobs(repository, made)
  await repository.putManifest(made.manifest)
}

/** Has every blob of it in the repository. */
export async function putBlobs(repository: Repository, { blobs }: Artifact): Promise<void> {
  for (const [digest, content] of blobs) await repository.putBlob(digest, content)
}

/** What DSSE signs of a statement. */
function signedBytes(statement: Uint8Array): Buffer {
  return Buffer.concat([
    Buffer.from(`DSSEv1 ${Buffer.byteLength(statementType)} ${statementType} ${statement.length} `),
    statement,
  ])
}

function envelope(statement: Uint8Array, key: SigningKey): object {
  return {
    payload: Buffer.from(statement).toString('base64'),
    payloadType: statementType,
    signatures: [{ sig: key.sign(signedBytes(statement)) }],
  }
}

const envelopeSchema = z.looseObject({
  payload: z.string(),
  payloadType: z.literal(statementType),
  signatures: z.array(z.looseObject({ sig: z.string() })),
})

function isOwnEnvelope(content: Uint8Array, statement: Uint8Array, key: SigningKey): boolean {
  const told = envelopeSchema.safeParse(JSON.parse(Buffer.from(content).toString('utf8')))
  if (!told.success || told.data.payload !== Buffer.from(statement).toString('base64')) return false
  return told.data.signatures.some(({ sig }) => key.isOwn(signedBytes(statement), sig))
}
