// Manifests of other people for controllers that run beside a server and not in its pods.
import { readFileSync } from 'node:fs'
import { parseAllDocuments } from 'yaml'

export interface InstalledObject {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name: string; readonly namespace?: string }
  readonly webhooks?: readonly { readonly clientConfig: { readonly service?: { readonly path: string } } }[]
}

/** All but workloads, whose pods nothing would run. */
export function objectsIn(file: string): readonly InstalledObject[] {
  return parseAllDocuments(readFileSync(file, 'utf8'))
    .map(document => document.toJS() as InstalledObject | null)
    .filter(object => object !== null && !['Deployment', 'StatefulSet'].includes(object.kind))
    .filter(object => object !== null)
}

/** The same object, whose webhooks are asked on loopback; `more` goes beside the address. */
export function askedHere(object: InstalledObject, port: number, more: object = {}): object {
  if (object.webhooks === undefined) return object
  const webhooks = object.webhooks.map(({ clientConfig, ...webhook }) => ({
    ...webhook,
    clientConfig: { url: `https://localhost:${port}${clientConfig.service?.path ?? ''}`, ...more },
  }))
  return { ...object, webhooks }
}
