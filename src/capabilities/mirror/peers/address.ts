// Addresses of nodes on the wire: multiaddresses of an IP and a TCP port. All other kinds are left out, since only TCP is spoken.
import { isIP } from 'node:net'
import type { Parsed } from '#kube/problem.ts'

const codes = { ip4: 0x04, tcp: 0x06, ip6: 0x29 } as const
const suffixOfPeer = /\/p2p\/([A-Za-z0-9]+)$/

export interface Address {
  /** As `node:net` writes it, IPv6 in its short form without brackets. */
  readonly ip: string
  readonly family: 4 | 6
  readonly port: number
}

/** The address of `/ip4/…/tcp/…` or `/ip6/…/tcp/…` in bytes, an id behind it left out; `undefined` where it is another kind. */
export function readAddress(bytes: Uint8Array): Address | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const length = bytes[0] === codes.ip4 ? 4 : bytes[0] === codes.ip6 ? 16 : undefined
  if (length === undefined || bytes.length < 1 + length + 3 || bytes[1 + length] !== codes.tcp) return undefined
  const rest = bytes.subarray(1 + length + 3)
  if (rest.length > 0 && !(rest[0] === 0xa5 && rest[1] === 0x03)) return undefined
  const port = view.getUint16(1 + length + 1)
  const ip = length === 4 ? bytes.subarray(1, 5).join('.') : ip6Of(view)
  return port === 0 ? undefined : { ip, family: length === 4 ? 4 : 6, port }
}

function ip6Of(view: DataView): string {
  const groups = Array.from({ length: 8 }, (_, index) => view.getUint16(1 + index * 2).toString(16))
  return shortened(groups.join(':'))
}

/** The form in which equal addresses are equal texts. */
function shortened(ip6: string): string {
  return new URL(`http://[${ip6}]/`).hostname.slice(1, -1)
}

/** `/ip4/10.0.0.1/tcp/5001` */
export const multiaddressOf = ({ ip, family, port }: Address): string => `/ip${family}/${ip}/tcp/${port}`

/** As it stands in a URL: IPv6 in brackets. */
export const hostOf = ({ ip, family }: Address): string => (family === 6 ? `[${ip}]` : ip)

export const isSameAddress = (left: Address, right: Address): boolean => left.port === right.port && left.ip === right.ip

/** A node to begin with, as somebody wrote it. */
export interface Contact {
  /** Where it is known: then only it is accepted. */
  readonly id: string | undefined
  readonly addresses: readonly Address[]
}

/** `10.0.0.1`, `10.0.0.1:5001`, `fd00::1`, `[fd00::1]:5001`, or a multiaddress, also with `/p2p/<id>`; without a port `port` is meant. */
export function parseContact(text: string, port: number, where: string): Parsed<Contact> {
  const found = text.startsWith('/') ? fromMultiaddress(text, port) : fromHost(text, port)
  if (found !== undefined) return { ok: true, value: found }
  const expected = 'an IP address with or without a port, or /ip4/…/tcp/… with or without /p2p/<id>'
  return { ok: false, problem: { code: 'peer-address', where, found: text, expected } }
}

function fromMultiaddress(text: string, port: number): Contact | undefined {
  const id = suffixOfPeer.exec(text)?.[1]
  const [, protocol, ip = '', transport, portText, ...rest] = text.replace(suffixOfPeer, '').split('/')
  const family = isIP(ip)
  if ((family !== 4 && family !== 6) || protocol !== `ip${family}` || rest.length > 0) return undefined
  if (transport === undefined) return contact(id, ip, family, port)
  const named = Number(portText)
  return transport === 'tcp' && isPort(portText) ? contact(id, ip, family, named) : undefined
}

function fromHost(text: string, port: number): Contact | undefined {
  const bracketed = /^\[([^\]]+)\](?::([0-9]+))?$/.exec(text)
  const plain = /^([0-9.]+)(?::([0-9]+))?$/.exec(text)
  const [, ip = text, portText] = bracketed ?? plain ?? []
  const family = isIP(ip)
  if ((family !== 4 && family !== 6) || (portText !== undefined && !isPort(portText))) return undefined
  return contact(undefined, ip, family, portText === undefined ? port : Number(portText))
}

const isPort = (text: string | undefined): boolean =>
  text !== undefined && /^[0-9]{1,5}$/.test(text) && Number(text) > 0 && Number(text) <= 65_535

function contact(id: string | undefined, ip: string, family: 4 | 6, port: number): Contact | undefined {
  if (family === 6 && ip.includes('%')) return undefined
  return { id, addresses: [{ ip: family === 6 ? shortened(ip) : ip, family, port }] }
}

interface Listening {
  /** Multiaddresses. */
  readonly listen: readonly string[]
  /** `undefined`: all of the machine. */
  readonly host: string | undefined
  readonly port: number
  readonly isLoopback: boolean
}

/** Where to listen, from `:5001`, `10.0.0.7:5001`, `[fd00::1]:5001`. */
export function listenAddresses(text: string, where: string): Parsed<Listening> {
  const [, ip6, ip4, portText] = /^(?:\[([^\]]+)\]|([0-9.]*)):([0-9]{1,5})$/.exec(text) ?? []
  const host = ip6 ?? (ip4 === '' ? undefined : ip4)
  const family = host === undefined ? 0 : isIP(host)
  const port = Number(portText)
  if (portText === undefined || port > 65_535 || (host !== undefined && family === 0)) {
    return { ok: false, problem: { code: 'listen-address', where, found: text, expected: '":port" or "address:port"' } }
  }
  const listen = host === undefined ? [`/ip4/0.0.0.0/tcp/${port}`, `/ip6/::/tcp/${port}`] : [`/ip${family}/${host}/tcp/${port}`]
  return { ok: true, value: { listen, host, port, isLoopback: host !== undefined && isLoopback(host) } }
}

export const isLoopback = (ip: string): boolean => ip.startsWith('127.') || ip === '::1'

/** The multiaddress in bytes. */
export function addressBytes({ ip, family, port }: Address): Uint8Array {
  const host = family === 4 ? ip.split('.').map(Number) : bytesOfIp6(ip)
  return Uint8Array.from([family === 4 ? codes.ip4 : codes.ip6, ...host, codes.tcp, port >> 8, port & 0xff])
}

function bytesOfIp6(ip: string): readonly number[] {
  const [head = '', tail] = ip.split('::')
  const groups = (text: string) => (text === '' ? [] : text.split(':').map(group => Number.parseInt(group, 16)))
  const front = groups(head)
  const back = tail === undefined ? [] : groups(tail)
  const all = tail === undefined ? front : [...front, ...Array.from({ length: 8 - front.length - back.length }, () => 0), ...back]
  return all.flatMap(group => [group >> 8, group & 0xff])
}
