// A cluster's names, as a program in the control plane's network: `<service>.<namespace>.svc.cluster.local` is what the API says of the Service.
// Arguments: the address to answer at, and a kubeconfig.
import { createSocket } from 'node:dgram'
import { openApi } from '#kube/client/api.ts'
import { openHttpTransport } from '#kube/client/http-transport.ts'
import { systemClock } from '#kube/clock.ts'
import { loadConfig } from '#kube/credentials/config.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { systemRandom } from '#kube/random.ts'

interface EndpointSlice extends KubeObject {
  readonly endpoints?: readonly {
    readonly addresses: readonly string[]
    readonly conditions?: { readonly ready?: boolean }
  }[]
}

const slices = { group: 'discovery.k8s.io', version: 'v1', resource: 'endpointslices' }
const headerBytes = 12
const typeA = 1
const noSuchName = 3
const serverFailure = 2

const [address = '', kubeconfig = ''] = process.argv.slice(2)
const { signal } = new AbortController()
const config = await loadConfig({ environment: {}, homeDirectory: '/', kubeconfig })
const transport = openHttpTransport(config, { clock: systemClock, random: systemRandom })
const api = openApi(transport, { clock: systemClock, userAgent: 'names' })
const socket = createSocket('udp4')

/** Addresses of a name; `undefined`: there is no such name. */
async function addressesOf(name: string): Promise<readonly string[] | undefined> {
  const [, service, namespace] = /^([^.]+)\.([^.]+)\.svc\.cluster\.local$/.exec(name.toLowerCase()) ?? []
  if (service === undefined || namespace === undefined) return undefined
  const labelSelector = `kubernetes.io/service-name=${service}`
  const { items } = await api.resource<EndpointSlice>(slices).list({ signal, namespace, labelSelector })
  const endpoints = items.flatMap(slice => slice.endpoints ?? []).filter(({ conditions }) => conditions?.ready !== false)
  return items.length === 0 ? undefined : endpoints.flatMap(({ addresses }) => addresses)
}

interface Question {
  readonly name: string
  readonly type: number
  /** Where it ends in the message. */
  readonly end: number
}

function questionOf(message: Buffer): Question {
  const labels: string[] = []
  let at = headerBytes
  for (let length = message.readUInt8(at); length > 0; length = message.readUInt8(at)) {
    labels.push(message.toString('latin1', at + 1, at + 1 + length))
    at += length + 1
  }
  return { name: labels.join('.'), type: message.readUInt16BE(at + 1), end: at + 5 }
}

/** An answer to the one question of a message, of which nobody remembers anything. */
function answerTo(message: Buffer, { end }: Question, code: number, addresses: readonly string[]): Buffer {
  const header = Buffer.from(message.subarray(0, headerBytes))
  header.writeUInt16BE(0x8580 | code, 2)
  header.writeUInt16BE(1, 4)
  header.writeUInt16BE(addresses.length, 6)
  header.fill(0, 8)
  const records = addresses.map(text =>
    Buffer.from([0xc0, headerBytes, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, ...text.split('.').map(Number)]),
  )
  return Buffer.concat([header, message.subarray(headerBytes, end), ...records])
}

socket.on('message', (message, from) => {
  const question = questionOf(message)
  const reply = (code: number, addresses: readonly string[] = []) =>
    socket.send(answerTo(message, question, code, addresses), from.port, from.address)
  addressesOf(question.name).then(
    addresses => (addresses === undefined ? reply(noSuchName) : reply(0, question.type === typeA ? addresses : [])),
    (cause: unknown) => {
      console.error(`${question.name}: ${cause instanceof Error ? cause.message : String(cause)}`)
      reply(serverFailure)
    },
  )
})
socket.bind(53, address, () => console.log('names are answered'))
