// Asks a server of webhooks about an object that is created, as an API server does.

import { request } from 'node:https'
import { parseApiVersion } from '#kube/objects/resource.ts'

interface Asked {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name: string; readonly namespace?: string }
}

interface Answer {
  readonly allowed: boolean
  /** By base 64. */
  readonly patch?: string
}

/** What `path` of the server says. `namespace` stands in the request. @throws Error where nobody answers with a review */
export function review(
  at: { readonly port: number; readonly authority: string },
  path: string,
  object: Asked,
  namespace?: string,
): Promise<Answer> {
  const resource = `${object.kind.toLowerCase()}s`
  const { group, version } = parseApiVersion(object.apiVersion)
  const body = JSON.stringify({
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    request: {
      uid: 'one',
      kind: { group, version, kind: object.kind },
      resource: { group, version, resource },
      operation: 'CREATE',
      userInfo: {},
      name: object.metadata.name,
      ...(namespace === undefined ? {} : { namespace }),
      object,
    },
  })
  const { promise, resolve, reject } = Promise.withResolvers<Answer>()
  const options = {
    host: '127.0.0.1',
    port: at.port,
    path,
    method: 'POST',
    ca: at.authority,
    headers: { 'content-type': 'application/json' },
  }
  const call = request(options, answer => {
    let text = ''
    answer.setEncoding('utf8').on('data', (part: string) => {
      text += part
    })
    answer.on('end', () => {
      try {
        resolve(JSON.parse(text).response)
      } catch (error) {
        reject(error)
      }
    })
  })
  call.on('error', reject)
  call.end(body)
  return promise
}
