// Endpoints and EndpointSlices: addresses that are some, ports that can be.
import { isIP, isIPv4 } from 'node:net'
import { duplicate, type FieldError, invalid, notSupported, required, tooMany } from '#kube/objects/field-error.ts'
import { dns1123LabelProblems, dns1123SubdomainProblems, labelValueProblems, qualifiedNameProblems } from '#kube/objects/names.ts'
import { type Draft, itemsAt, listAt, numberAt, textAt } from '../../json-value.ts'
import { endpointAddressProblems, isLoopback } from './networking/addresses.ts'

const protocols = ['SCTP', 'TCP', 'UDP']
const addressRule = 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'

/** Everything that is wrong with Endpoints. */
export function endpointsProblems(draft: Draft): readonly FieldError[] {
  return itemsAt(draft, 'subsets').flatMap((subset, index) => {
    const at = `subsets[${index}]`
    const lists = ['addresses', 'notReadyAddresses'] as const
    const isEmpty = lists.every(list => itemsAt(subset, list).length === 0)
    const ports = itemsAt(subset, 'ports')
    return [
      ...(isEmpty ? [required(at, 'must specify `addresses` or `notReadyAddresses`')] : []),
      ...lists.flatMap(list =>
        itemsAt(subset, list).flatMap((address, place) => addressProblems(`${at}.${list}[${place}]`, address)),
      ),
      ...ports.flatMap((port, place) => portProblems(`${at}.ports[${place}]`, port, ports.length > 1)),
    ]
  })
}

function addressProblems(at: string, address: Draft): readonly FieldError[] {
  const ip = textAt(address, 'ip') ?? ''
  const [hostname = '', node] = [textAt(address, 'hostname'), textAt(address, 'nodeName')]
  return [
    ...(isIP(ip) === 0 ? [invalid(`${at}.ip`, ip, addressRule)] : []),
    ...(hostname === '' ? [] : dns1123LabelProblems(hostname).map(rule => invalid(`${at}.hostname`, hostname, rule))),
    ...(node === undefined ? [] : dns1123SubdomainProblems(node).map(rule => invalid(`${at}.nodeName`, node, rule))),
    // Upstream looks at the address twice, and says it in two ways.
    ...(isIP(ip) === 0 ? [invalid(`${at}.ip`, ip, 'must be a valid IP address')] : endpointAddressProblems(`${at}.ip`, ip)),
  ]
}

function portProblems(at: string, port: Draft, needsName: boolean): readonly FieldError[] {
  const [name, number, protocol] = [textAt(port, 'name') ?? '', numberAt(port, 'port') ?? 0, textAt(port, 'protocol') ?? '']
  return [
    ...(name !== ''
      ? dns1123LabelProblems(name).map(rule => invalid(`${at}.name`, name, rule))
      : needsName
        ? [required(`${at}.name`)]
        : []),
    ...(number < 1 || number > 65535 ? [invalid(`${at}.port`, number, 'must be between 1 and 65535, inclusive')] : []),
    ...protocolProblems(`${at}.protocol`, protocol),
    ...applicationProblems(`${at}.appProtocol`, textAt(port, 'appProtocol')),
  ]
}

function protocolProblems(at: string, protocol: string): readonly FieldError[] {
  if (protocol === '') return [required(at)]
  return protocols.includes(protocol) ? [] : [notSupported(at, protocol, protocols)]
}

function applicationProblems(at: string, protocol: string | undefined): readonly FieldError[] {
  return protocol === undefined ? [] : qualifiedNameProblems(protocol).map(rule => invalid(at, protocol, rule))
}

const addressTypes = ['FQDN', 'IPv4', 'IPv6']

/** Everything that is wrong with an EndpointSlice. */
export function sliceProblems(draft: Draft, before?: Draft): readonly FieldError[] {
  const type = textAt(draft, 'addressType') ?? ''
  const problems: FieldError[] = []
  if (before !== undefined && before['addressType'] !== type) problems.push(invalid('addressType', type, 'field is immutable'))
  if (type === '') problems.push(required('addressType'))
  else if (!addressTypes.includes(type)) problems.push(notSupported('addressType', type, addressTypes))
  for (const [index, endpoint] of itemsAt(draft, 'endpoints').entries())
    problems.push(...endpointProblems(`endpoints[${index}]`, endpoint, type))
  const seen = new Set<string>()
  for (const [index, port] of itemsAt(draft, 'ports').entries()) {
    const [at, name] = [`ports[${index}]`, textAt(port, 'name') ?? '']
    if (name !== '') problems.push(...dns1123LabelProblems(name).map(rule => invalid(`${at}.name`, name, rule)))
    if (seen.has(name)) problems.push(duplicate(`${at}.name`, name))
    seen.add(name)
    const protocol = textAt(port, 'protocol') ?? 'TCP'
    if (!protocols.includes(protocol)) problems.push(notSupported(`${at}.protocol`, protocol, protocols))
    problems.push(...applicationProblems(`${at}.appProtocol`, textAt(port, 'appProtocol')))
  }
  return problems
}

function endpointProblems(at: string, endpoint: Draft, type: string): readonly FieldError[] {
  const addresses = listAt(endpoint, 'addresses').map(String)
  const problems: FieldError[] = []
  if (addresses.length === 0) problems.push(required(`${at}.addresses`, 'must contain at least 1 address'))
  for (const [index, address] of addresses.entries())
    problems.push(...typedAddressProblems(`${at}.addresses[${index}]`, address, type))
  const [node, hostname] = [textAt(endpoint, 'nodeName'), textAt(endpoint, 'hostname')]
  if (node !== undefined) problems.push(...dns1123SubdomainProblems(node).map(rule => invalid(`${at}.nodeName`, node, rule)))
  if (hostname !== undefined)
    problems.push(...dns1123LabelProblems(hostname).map(rule => invalid(`${at}.hostname`, hostname, rule)))
  for (const [list, rules] of hintLists)
    problems.push(...hintProblems(`${at}.hints.${list}`, itemsAt(endpoint, 'hints', list), rules))
  return problems
}

const hintLists = [
  ['forZones', labelValueProblems],
  ['forNodes', dns1123SubdomainProblems],
] as const
const hintCount = 8

function hintProblems(at: string, hints: readonly Draft[], rules: (name: string) => readonly string[]): readonly FieldError[] {
  if (hints.length > hintCount) return [tooMany(at, hints.length, hintCount)]
  const names = hints.map(hint => textAt(hint, 'name') ?? '')
  return names.flatMap((name, index) => {
    const place = `${at}[${index}].name`
    return [
      ...(names.indexOf(name) < index ? [duplicate(place, name)] : []),
      ...rules(name).map(rule => invalid(place, name, rule)),
    ]
  })
}

function typedAddressProblems(at: string, address: string, type: string): readonly FieldError[] {
  if (type === 'FQDN') return dns1123SubdomainProblems(address).map(rule => invalid(at, address, rule))
  if (type !== 'IPv4' && type !== 'IPv6') return []
  if (isIP(address) === 0) return [invalid(at, address, addressRule)]
  return [
    ...(isIPv4(address) === (type === 'IPv4') ? [] : [invalid(at, address, `must be an ${type} address`)]),
    // Programs beside a twin listen on the machine itself: slices lead to them, which a real server refuses.
    ...(isLoopback(address) ? [] : endpointAddressProblems(at, address)),
  ]
}
