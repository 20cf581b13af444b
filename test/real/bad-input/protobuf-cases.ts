// Protobuf bodies that are cut, lie about their lengths, or are of other messages.
import type { BadInputCase } from './case.ts'
import { groupIn, protobufType, sent } from './requests.ts'

const namespace = 'protobuf'
const configMaps = `/api/v1/namespaces/${namespace}/configmaps`
const pods = `/api/v1/namespaces/${namespace}/pods`

/** As `kubectl create configmap a --from-literal=b=c` sends it. */
const whole = Buffer.from(
  '6b3873000a0f0a0276311209436f6e6669674d6170121b0a110a016112001a0022002a0032003800420012060a01621201631a002200',
  'hex',
)
const magic = Buffer.from('6b387300', 'hex')

function varint(value: number): Buffer {
  const bytes: number[] = []
  let rest = value
  while (rest > 127) {
    bytes.push((rest % 128) | 128)
    rest = Math.floor(rest / 128)
  }
  return Buffer.from([...bytes, rest])
}

function field(number: number, bytes: Buffer | string): Buffer {
  const content = Buffer.from(bytes)
  return Buffer.concat([varint(number * 8 + 2), varint(content.byteLength), content])
}

function framed(apiVersion: string, kind: string, raw: Buffer): Buffer {
  return Buffer.concat([magic, field(1, Buffer.concat([field(1, apiVersion), field(2, kind)])), field(2, raw)])
}

const named = (name: string) => field(1, field(1, name))
const configMapOf = (name: string, ...more: Buffer[]) => framed('v1', 'ConfigMap', Buffer.concat([named(name), ...more]))
const podOf = (name: string, ...spec: Buffer[]) =>
  framed(
    'v1',
    'Pod',
    Buffer.concat([named(name), field(2, Buffer.concat([field(2, Buffer.concat([field(1, 'c'), field(2, 'x')])), ...spec]))]),
  )

const bodies: Readonly<Record<string, Buffer>> = {
  nothing: Buffer.alloc(0),
  'only the magic': magic,
  'half the magic': magic.subarray(0, 2),
  'another magic': Buffer.concat([Buffer.from('6b387301', 'hex'), whole.subarray(4)]),
  'cut in the frame': whole.subarray(0, 10),
  'cut in the kind': whole.subarray(0, 18),
  'cut in the object': whole.subarray(0, 30),
  'cut by one byte': whole.subarray(0, whole.byteLength - 1),
  'text after the object': Buffer.concat([whole, Buffer.from('hello')]),
  'a length of 4 GB': Buffer.concat([magic, Buffer.from('0a', 'hex'), varint(0xffffffff)]),
  'a length beyond int64': Buffer.concat([magic, Buffer.from('0affffffffffffffffff7f', 'hex')]),
  'a varint of 11 bytes': Buffer.concat([magic, Buffer.from('0a', 'hex'), Buffer.alloc(11, 0xff)]),
  'a negative length': Buffer.concat([magic, Buffer.from('0affffffffffffffffff01', 'hex')]),
  'an object of a length of 4 GB': framed('v1', 'ConfigMap', Buffer.concat([Buffer.from('0a', 'hex'), varint(0xffffffff)])),
  'data of a length beyond': framed(
    'v1',
    'ConfigMap',
    Buffer.concat([named('pb1'), Buffer.from('12ff01', 'hex'), Buffer.from('0a', 'hex')]),
  ),
  'a field number of 0': framed('v1', 'ConfigMap', Buffer.concat([named('pb2'), Buffer.from('0200', 'hex')])),
  'a wire type of 7': framed('v1', 'ConfigMap', Buffer.concat([named('pb3'), Buffer.from('0f00', 'hex')])),
  'an open group': framed('v1', 'ConfigMap', Buffer.concat([named('pb4'), Buffer.from('7b', 'hex')])),
  'an end of no group': framed('v1', 'ConfigMap', Buffer.concat([named('pb5'), Buffer.from('7c', 'hex')])),
  'an unknown field': configMapOf('pb6', field(99, 'hello')),
  'a number where a message is': framed('v1', 'ConfigMap', Buffer.from('0801', 'hex')),
  'no kind': framed('v1', '', named('pb7')),
  'no apiVersion': framed('', 'ConfigMap', named('pb8')),
  'another kind': framed('v1', 'Secret', named('pb9')),
  'an unknown kind': framed('v1', 'Nothing', named('pb10')),
  'an unknown version': framed('v9', 'ConfigMap', named('pb11')),
  'no raw': Buffer.concat([magic, field(1, Buffer.concat([field(1, 'v1'), field(2, 'ConfigMap')]))]),
  'invalid UTF-8 in a name': framed('v1', 'ConfigMap', field(1, field(1, Buffer.from([0x61, 0xff])))),
  'invalid UTF-8 in data': configMapOf('pb12', field(2, Buffer.concat([field(1, 'a'), field(2, Buffer.from([0xff, 0xfe]))]))),
  'NUL in data': configMapOf('pb13', field(2, Buffer.concat([field(1, 'a'), field(2, 'x\u0000y')]))),
  'a bad label': framed(
    'v1',
    'ConfigMap',
    field(1, Buffer.concat([field(1, 'pb14'), field(11, Buffer.concat([field(1, 'a b'), field(2, 'c d')]))])),
  ),
  'a map entry without a key': configMapOf('pb15', field(2, field(2, 'x'))),
  'a map entry without a value': configMapOf('pb16', field(2, field(1, 'x'))),
  'a map entry of nothing': configMapOf('pb17', field(2, '')),
  'the same key twice': configMapOf(
    'pb18',
    field(2, Buffer.concat([field(1, 'a'), field(2, '1')])),
    field(2, Buffer.concat([field(1, 'a'), field(2, '2')])),
  ),
  '1,000 open messages': framed(
    'v1',
    'ConfigMap',
    Buffer.concat(Array.from({ length: 1000 }, () => Buffer.from('0aff7f', 'hex'))),
  ),
}

const podBodies: Readonly<Record<string, Buffer>> = {
  'a pod': podOf('pod1'),
  'a quantity of nonsense': podOf(
    'pod2',
    field(
      2,
      Buffer.concat([
        field(1, 'd'),
        field(2, 'x'),
        field(8, field(1, Buffer.concat([field(1, 'cpu'), field(2, field(1, 'lots'))]))),
      ]),
    ),
  ),
  'an enormous quantity': podOf(
    'pod3',
    field(
      2,
      Buffer.concat([
        field(1, 'd'),
        field(2, 'x'),
        field(8, field(1, Buffer.concat([field(1, 'cpu'), field(2, field(1, '1e2147483648'))]))),
      ]),
    ),
  ),
  'an int64 beyond doubles': podOf('pod4', Buffer.concat([varint(4 * 8), Buffer.from('8180808080808010', 'hex')])),
  'the largest int64': podOf('pod5', Buffer.concat([varint(4 * 8), Buffer.from('ffffffffffffffff7f', 'hex')])),
  'a negative int64': podOf('pod6', Buffer.concat([varint(4 * 8), Buffer.from('ffffffffffffffffff01', 'hex')])),
  'a port of 80 and of 65536': podOf(
    'pod7',
    field(
      2,
      Buffer.concat([
        field(1, 'd'),
        field(2, 'x'),
        field(6, Buffer.from('1850', 'hex')),
        field(6, Buffer.concat([Buffer.from('18', 'hex'), varint(65536)])),
      ]),
    ),
  ),
  'an int-or-string of an unknown type': podOf(
    'pod8',
    field(2, Buffer.concat([field(1, 'd'), field(2, 'x'), field(10, field(1, field(3, field(2, Buffer.from('0807', 'hex')))))])),
  ),
}

export const protobufGroup = groupIn(namespace, {
  cases: [
    ...Object.entries(bodies).map(
      ([name, body]): BadInputCase => ({ name, request: sent('POST', configMaps, body, protobufType) }),
    ),
    ...Object.entries(podBodies).map(([name, body]): BadInputCase => ({ name, request: sent('POST', pods, body, protobufType) })),
    { name: 'protobuf as JSON', request: sent('POST', configMaps, configMapOf('pb20')) },
    { name: 'protobuf as YAML', request: sent('POST', configMaps, configMapOf('pb21'), 'application/yaml') },
    { name: 'protobuf with parameters', request: sent('POST', configMaps, configMapOf('pb22'), `${protobufType};type=watch`) },
  ],
})
