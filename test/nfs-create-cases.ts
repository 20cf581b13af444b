// CreateVolume, what is told of a driver, and what each call of the controller says to requests that lack something.

import type { DriverCase, Step } from './nfs-driver-cases.ts'
import { accessModes, capability, create, createOf, publishOf, remove, shared, spellings } from './nfs-requests.ts'

const metadata = {
  'csi.storage.k8s.io/pvc/name': 'plex',
  'csi.storage.k8s.io/pvc/namespace': 'media',
  'csi.storage.k8s.io/pv/name': 'pvc-1',
}

/** One call a case: each begins with an empty export. */
const alone = (name: string, step: Step, more: Partial<DriverCase> = {}): DriverCase => ({ name, steps: [step], ...more })

/** Calls that reach no server: one driver answers all. */
const gathered = (name: string, steps: readonly Step[], more: Partial<DriverCase> = {}): DriverCase => ({ name, steps, ...more })

const subDirs = [
  'subdir',
  '/subdir/',
  'a/b/c',
  'a//b',
  './a',
  'foo..bar',
  '...',
  ' ',
  'with space',
  'ünïcode-名',
  'a#b',
  'a:b',
  'a,b',
  'a;b',
  'a|b',
  'a$(b)`c`',
  'a\'b"c',
  'a*?[b]',
  'a%2e%2e',
  '-rf',
  'a=b',
  `\${pvc.metadata.name}`,
  `\${unknown}`,
  'x'.repeat(255),
]
const traversals = ['..', '../../etc/shadow', 'a/../b', 'a/..', '/..', '../', './..']

export const createCases: readonly DriverCase[] = [
  alone(
    '1: server, share, subDir, name',
    create({ server: '//nas.local', share: 'share', subDir: 'subdir' }, { name: 'pv-name' }),
    {
      shares: ['nas.local/share'],
    },
  ),
  alone(
    '1: the same, where the server is called as it says',
    create({ server: 'nas.local', share: 'share', subDir: 'subdir' }, { name: 'pv-name' }),
    {
      shares: ['nas.local/share'],
    },
  ),
  alone('2: without subDir', create({ server: 'nas.local', share: '/share' }, { name: 'pv-name' }), {
    shares: ['nas.local/share'],
  }),
  alone(
    '3: placeholders',
    create(
      {
        subDir: `subdir-\${pvc.metadata.name}-\${pvc.metadata.namespace}-\${pv.metadata.name}`,
        'csi.storage.k8s.io/pvc/name': 'pvcname',
        'csi.storage.k8s.io/pvc/namespace': 'pvcnamespace',
        'csi.storage.k8s.io/pv/name': 'pvname',
      },
      { name: 'pv-name' },
    ),
  ),
  gathered('4: onDelete, created and deleted', [create({ onDelete: 'Retain' }, {}, 'v'), remove('$volume:v')]),
  gathered('5 and more: spellings of onDelete', [
    ...['', 'delete', 'Delete', 'DELETE', 'retain', 'RETAIN', 'archive', 'Archive', 'ARCHIVE'].map((onDelete, index) =>
      create({ onDelete }, { name: `pvc-${index}` }),
    ),
    ...['invalid', ' delete', 'delete ', 'retain,archive', 'keep', 'true', '0'].map(onDelete => create({ onDelete })),
  ]),
  gathered('6: no server', [
    createOf({ share: '/kubernetes' }),
    createOf({ server: '', share: '/kubernetes' }),
    createOf({}),
    createOf(undefined),
  ]),
  gathered('7: keys that nobody knows', [
    createOf({ ...shared, foo: 'bar' }),
    createOf({ ...shared, mountOptions: 'nfsvers=4.1' }),
    createOf({ ...shared, fsType: 'ext4' }),
    createOf({ ...shared, 'csi.storage.k8s.io/fstype': 'ext4' }),
    createOf({ ...shared, 'csi.storage.k8s.io/foo': 'x' }),
    createOf({ ...shared, '': 'x' }),
    createOf({ ...shared, ' server': 'x' }),
    createOf({ ...shared, 'quoted"key': 'x' }),
  ]),
  ...spellings('server').map(key => alone(`8: ${key}`, createOf({ [key]: 'candlekeep', share: '/kubernetes' }))),
  ...spellings('share').map(key => alone(`8: ${key}`, createOf({ server: 'candlekeep', [key]: '/kubernetes' }))),
  ...spellings('subDir').map(key => alone(`8: ${key}`, create({ [key]: 'sub' }))),
  ...spellings('onDelete').map(key => alone(`8: ${key}`, create({ [key]: 'archive' }))),
  ...spellings('mountPermissions').map(key => alone(`8: ${key}`, create({ [key]: '0750' }))),
  ...Object.entries(metadata).flatMap(([key, value]) =>
    spellings(key).map(spelled =>
      alone(
        `8: ${spelled}`,
        create({ [spelled]: value, subDir: `x-\${${key.replace('csi.storage.k8s.io/', '').replace('/', '.metadata.')}}` }),
      ),
    ),
  ),
  gathered('9 and more: mountPermissions that are no octal number', [
    ...['07ab', '8', '0778', '-1', '0x1ff', ' 0777', '0777 ', '0o777', 'rwx', '040000000000', '1e3', '+0777', '7_7'].map(
      mountPermissions => create({ mountPermissions }),
    ),
  ]),
  ...['', '0', '0000', '0777', '777', '0750', '02770', '01777', '04755', '07777', '00000777'].map(mountPermissions =>
    alone(`10 and more: mountPermissions ${mountPermissions}`, create({ mountPermissions })),
  ),
  alone("10: the driver's own mountPermissions", create(), { flags: ['--mount-permissions=511'] }),
  alone("10: the class's before the driver's", create({ mountPermissions: '0750' }), { flags: ['--mount-permissions=511'] }),
  alone("10: the class's 0 before the driver's", create({ mountPermissions: '0' }), { flags: ['--mount-permissions=511'] }),
  gathered(
    '11 and more: subDir that leads out',
    traversals.map(subDir => create({ subDir })),
  ),
  gathered('12 and more: share that leads out', [
    ...traversals.map(share => create({ share })),
    create({ share: '/exports/../../../etc' }),
    create({ share: '/kubernetes/..' }),
  ]),
  alone(
    '13: placeholder that leads out',
    create({ subDir: `\${pvc.metadata.namespace}`, 'csi.storage.k8s.io/pvc/namespace': '..' }),
  ),
  alone(
    '13: placeholder that leads further out',
    create({ subDir: `a/\${pvc.metadata.name}`, 'csi.storage.k8s.io/pvc/name': '../../x' }),
  ),
  ...subDirs.map(subDir => alone(`subDir ${JSON.stringify(subDir.slice(0, 30))}`, create({ subDir, ...metadata }))),
  gathered('names of subDir that no server takes', [create({ subDir: 'x'.repeat(256) }), create({ subDir: 'a\u0000b' })]),
  alone('subDir with a newline', create({ subDir: 'a\nb' })),
  alone('subDir with a backslash', create({ subDir: 'a\\b' })),
  alone('subDir that leads out by backslashes', create({ subDir: '..\\..\\x' })),
  ...['', 'media', 'a/b', 'a b', '.', 'ä'].map(value =>
    alone(
      `placeholder that stands for ${JSON.stringify(value)}`,
      create({ subDir: `x/\${pvc.metadata.namespace}/y`, 'csi.storage.k8s.io/pvc/namespace': value }),
    ),
  ),
  alone('a placeholder twice', create({ ...metadata, subDir: `\${pvc.metadata.name}/\${pvc.metadata.name}` })),
  alone('a placeholder in another case', create({ ...metadata, subDir: `\${PVC.metadata.name}` })),
  alone('a placeholder that is not closed', create({ ...metadata, subDir: `\${pvc.metadata.name` })),
  alone('a placeholder that nothing was given for', create({ subDir: `\${pvc.metadata.namespace}-\${pvc.metadata.name}` })),
  alone('placeholders of labels', create({ ...metadata, subDir: `\${pvc.metadata.labels['app']}` })),
  ...[
    ['candlekeep', '/'],
    ['candlekeep', ''],
    ['candlekeep', 'kubernetes'],
    ['candlekeep', '/kubernetes/'],
    ['candlekeep', '//kubernetes//deep/'],
    ['candlekeep', '/kubernetes/deep'],
    ['candlekeep', '/kubernetes/./deep'],
    ['candlekeep', '/with space'],
    ['candlekeep', '/ünï'],
    ['candlekeep', '/a..b'],
    ['candlekeep', '/...'],
    ['candlekeep', '/nothing-there'],
    ['candlekeep', '/file'],
    ['candlekeep', '/a#b'],
    ['candlekeep', '/a,b'],
    ['candlekeep', '/a:b'],
    ['CandleKeep', '/kubernetes'],
    ['candlekeep/', '/kubernetes'],
    ['nobody', '/kubernetes'],
    ['127.0.0.1', '/kubernetes'],
    ['fd00::1', '/kubernetes'],
    ['[fd00::1]', '/kubernetes'],
    ['fe80::1%eth0', '/kubernetes'],
    ['::ffff:10.0.0.1', '/kubernetes'],
    ['candle keep', '/kubernetes'],
    ['a,b', '/kubernetes'],
    ['-o', '/kubernetes'],
  ].map(([server = '', share = '']) => ({
    name: `server ${JSON.stringify(server)}, share ${JSON.stringify(share)}`,
    shares: [
      ...['kubernetes/deep', 'with space', 'ünï', 'a..b', '...', 'a#b', 'a,b', 'a:b'].map(known => `candlekeep/${known}`),
      ...['127.0.0.1', 'fd00::1', 'fe80::1%eth0', '::ffff:10.0.0.1', 'candle keep', 'a,b'].map(known => `${known}/kubernetes`),
    ],
    steps: [{ plant: { 'candlekeep/file': 'no folder' } }, create({ server, share })],
  })),
  ...accessModes.map(mode => alone(`mounted, access mode ${mode}`, create({}, { volumeCapabilities: [capability(mode)] }))),
  gathered(
    'block volumes, each access mode',
    accessModes.map(mode => create({}, { volumeCapabilities: [{ block: {}, accessMode: { mode } }] })),
  ),
  gathered('capabilities that are none', [
    create({}, { volumeCapabilities: [] }),
    create({}, { volumeCapabilities: undefined }),
    create({}, { volumeCapabilities: [capability(), { block: {}, accessMode: { mode: 'MULTI_NODE_MULTI_WRITER' } }] }),
  ]),
  alone('a capability without anything', create({}, { volumeCapabilities: [{}] })),
  alone('a capability without access mode', create({}, { volumeCapabilities: [{ mount: {} }] })),
  alone('a capability without access type', create({}, { volumeCapabilities: [{ accessMode: { mode: 'SINGLE_NODE_WRITER' } }] })),
  alone(
    'two capabilities, of which the first mounts',
    create(
      {},
      {
        volumeCapabilities: [
          capability('MULTI_NODE_MULTI_WRITER', ['nfsvers=4.1']),
          capability('MULTI_NODE_READER_ONLY', ['nfsvers=3']),
        ],
      },
    ),
  ),
  alone(
    'a file system type',
    create({}, { volumeCapabilities: [{ mount: { fsType: 'nfs4' }, accessMode: { mode: 'SINGLE_NODE_WRITER' } }] }),
  ),
  ...[
    ['nfsvers=4.1', 'nconnect=16'],
    ['nfsvers=4.1,nconnect=16'],
    ['ro'],
    ['hard', 'hard'],
    ['nonsense'],
    ['nfsvers=4.1', '', 'hard'],
    ['context="a,b"'],
    ['hard\nsuid'],
    ['-v'],
    ['addr=10.0.0.1'],
  ].map(flags =>
    alone(
      `mount flags ${JSON.stringify(flags)}`,
      create({}, { volumeCapabilities: [capability('MULTI_NODE_MULTI_WRITER', flags)] }),
    ),
  ),
  ...[
    {},
    { requiredBytes: 0 },
    { requiredBytes: 1_073_741_824 },
    { limitBytes: 1_073_741_824 },
    { requiredBytes: 2_000, limitBytes: 1_000 },
    { requiredBytes: -1 },
  ].map(capacityRange => alone(`capacity ${JSON.stringify(capacityRange)}`, create({}, { capacityRange }))),
  alone(
    'options in a secret count for nothing where there are capabilities',
    create({}, { secrets: { mountOptions: 'nfsvers=3' } }),
  ),
  alone('topology', create({}, { accessibilityRequirements: { requisite: [{ segments: { zone: 'a' } }] } })),
  alone('mutable parameters', create({}, { mutableParameters: { foo: 'bar' } })),
  ...['a', 'x'.repeat(128), 'x'.repeat(255), 'with space', 'ünï', 'a/b', 'a#b', 'a.b', '...', '-rf', 'a:b', 'a,b'].map(name =>
    alone(`name ${JSON.stringify(name.slice(0, 20))} of ${name.length}`, create({}, { name })),
  ),
  gathered('names that no server takes', [
    create({}, { name: '' }),
    create({}, { name: 'x'.repeat(256) }),
    create({}, { name: 'a\u0000b' }),
  ]),
  gathered('fields that are missing, alone and in pairs', [
    create({}, { name: undefined }),
    create({}, { name: undefined, volumeCapabilities: undefined }),
    create({}, { name: undefined, parameters: undefined }),
    create({}, { volumeCapabilities: undefined, parameters: undefined }),
    create({ foo: 'bar' }, { name: undefined }),
    createOf({ foo: 'bar' }, { volumeCapabilities: undefined }),
    createOf({ foo: 'bar', share: '..' }),
    createOf({ onDelete: 'invalid' }),
    createOf({ ...shared, onDelete: 'invalid', share: '..' }),
    createOf({ ...shared, onDelete: 'invalid', subDir: '..' }),
    createOf({ ...shared, mountPermissions: '9', share: '..' }),
    create({}, { name: undefined, volumeCapabilities: undefined, parameters: undefined }),
  ]),
  gathered('the same name again', [create(), create()]),
  gathered('22: created, deleted, created, deleted', [
    create({}, {}, 'a'),
    remove('$volume:a'),
    create({}, {}, 'b'),
    remove('$volume:b'),
  ]),
  gathered('22: with subDir', [
    create({ subDir: 'x' }, {}, 'a'),
    remove('$volume:a'),
    create({ subDir: 'x' }, {}, 'b'),
    remove('$volume:b'),
  ]),
  {
    name: '23: two with one name at once',
    steps: [
      { tell: 'candlekeep', told: { hang: true } },
      {
        begin: create(),
        waitsFor: 'mount.nfs',
        meanwhile: [create(), create({}, { name: 'other', parameters: { ...shared, server: 'nobody' } })],
      },
      create(),
    ],
  },
  gathered('24: same name, other size', [
    create({}, { capacityRange: { requiredBytes: 1_000 } }),
    create({}, { capacityRange: { requiredBytes: 1_000 } }),
    create({}, { capacityRange: { requiredBytes: 2_000 } }),
  ]),
  gathered('same name, other parameters', [
    create({ subDir: 'a' }),
    create({ subDir: 'b' }),
    create({ subDir: 'a', onDelete: 'retain' }),
  ]),
  gathered('the directory is there with data', [
    { plant: { 'candlekeep/kubernetes/pvc-1/kept': 'data', 'candlekeep/kubernetes/pvc-1': { mode: 0o700 } } },
    create(),
    create({ mountPermissions: '0750' }),
  ]),
  gathered('a file lies where the directory would be', [{ plant: { 'candlekeep/kubernetes/pvc-1': 'file' } }, create()]),
  gathered('a link to a directory lies there', [
    { plant: { 'candlekeep/kubernetes/real': {}, 'candlekeep/kubernetes/pvc-1': { to: 'real' } } },
    create(),
  ]),
  gathered('a link to nowhere lies there', [{ plant: { 'candlekeep/kubernetes/pvc-1': { to: 'nowhere' } } }, create()]),
  gathered('what a server may answer to a mount', [
    ...[
      'mount.nfs: access denied by server while mounting candlekeep:/kubernetes',
      'mount.nfs: Connection timed out for candlekeep:/kubernetes on /x',
      'mount.nfs: Connection refused for candlekeep:/kubernetes on /x',
      'mount.nfs: Stale file handle for candlekeep:/kubernetes on /x',
      'mount.nfs: an incorrect mount option was specified for /x',
      'mount.nfs: invalid argument',
      'mount.nfs: Operation not permitted for candlekeep:/kubernetes on /x',
      'mount.nfs: requested NFS version or transport protocol is not supported for /x',
      'mount.nfs: Network is unreachable for candlekeep:/kubernetes on /x',
    ].flatMap((fail): Step[] => [{ tell: 'candlekeep', told: { fail } }, create()]),
    { tell: 'candlekeep', told: undefined },
    create(),
  ]),
  gathered('umount fails after a creation', [
    { tell: 'umount', told: { fail: 'umount: target is busy.' } },
    create(),
    { tell: 'umount', told: undefined },
    create(),
  ]),
  gathered('a mount that an ended driver left', [
    { tell: 'umount', told: { fail: 'umount: target is busy.' } },
    create(),
    { tell: 'umount', told: undefined },
    { restart: [] },
    create({}, { name: 'pvc-2' }),
    create(),
  ]),
  gathered('a slow server', [{ tell: 'candlekeep', told: { waitMs: 300 } }, create(), remove('candlekeep#kubernetes#pvc-1##')]),
  gathered('who it is', [
    { call: 'GetPluginInfo', request: {} },
    { call: 'GetPluginCapabilities', request: {} },
    { call: 'Probe', request: {} },
    { call: 'ControllerGetCapabilities', request: {} },
    { call: 'NodeGetCapabilities', request: {} },
    { call: 'NodeGetInfo', request: {} },
  ]),
  gathered('who it is, by another name', [{ call: 'GetPluginInfo', request: {} }], { flags: ['--drivername=nfs2.csi.k8s.io'] }),
  gathered('calls that it does not have', [
    { call: 'ControllerPublishVolume', request: { volumeId: 'v', nodeId: 'n', volumeCapability: capability() } },
    { call: 'ControllerUnpublishVolume', request: { volumeId: 'v', nodeId: 'n' } },
    { call: 'ListVolumes', request: {} },
    { call: 'GetCapacity', request: {} },
    { call: 'ListSnapshots', request: {} },
    { call: 'ControllerGetVolume', request: { volumeId: 'v' } },
    { call: 'ControllerModifyVolume', request: { volumeId: 'v' } },
    { call: 'NodeStageVolume', request: { volumeId: 'v' } },
    { call: 'NodeUnstageVolume', request: { volumeId: 'v' } },
    { call: 'NodeExpandVolume', request: { volumeId: 'v', volumePath: '/' } },
  ]),
  gathered('capabilities of a volume', [
    { call: 'ValidateVolumeCapabilities', request: { volumeCapabilities: [capability()] } },
    { call: 'ValidateVolumeCapabilities', request: { volumeId: 'candlekeep#kubernetes#pvc-1##' } },
    { call: 'ValidateVolumeCapabilities', request: {} },
    create({}, {}, 'v'),
    ...accessModes.map(
      (mode): Step => ({
        call: 'ValidateVolumeCapabilities',
        request: { volumeId: '$volume:v', volumeCapabilities: [capability(mode)] },
      }),
    ),
    {
      call: 'ValidateVolumeCapabilities',
      request: { volumeId: '$volume:v', volumeCapabilities: [{ block: {}, accessMode: { mode: 'SINGLE_NODE_WRITER' } }] },
    },
    {
      call: 'ValidateVolumeCapabilities',
      request: {
        volumeId: '$volume:v',
        volumeCapabilities: [capability()],
        parameters: { foo: 'bar' },
        volumeContext: { a: 'b' },
      },
    },
    {
      call: 'ValidateVolumeCapabilities',
      request: { volumeId: 'candlekeep#kubernetes#nothing##', volumeCapabilities: [capability()] },
    },
    { call: 'ValidateVolumeCapabilities', request: { volumeId: 'no id', volumeCapabilities: [capability()] } },
  ]),
  gathered('expanded', [
    { call: 'ControllerExpandVolume', request: { capacityRange: { requiredBytes: 1_000 } } },
    { call: 'ControllerExpandVolume', request: { volumeId: 'v' } },
    { call: 'ControllerExpandVolume', request: {} },
    { call: 'ControllerExpandVolume', request: { volumeId: 'v', capacityRange: {} } },
    {
      call: 'ControllerExpandVolume',
      request: { volumeId: 'candlekeep#kubernetes#pvc-1##', capacityRange: { requiredBytes: 5_368_709_120 } },
    },
    { call: 'ControllerExpandVolume', request: { volumeId: 'v', capacityRange: { limitBytes: 1_000 } } },
    { call: 'ControllerExpandVolume', request: { volumeId: 'v', capacityRange: { requiredBytes: 2_000, limitBytes: 1_000 } } },
    { call: 'ControllerExpandVolume', request: { volumeId: 'v', capacityRange: { requiredBytes: 9_007_199_254_740_991 } } },
  ]),
  gathered('made, published, deleted, as the seed does', [
    create({}, { volumeCapabilities: [capability('MULTI_NODE_MULTI_WRITER', ['nfsvers=4.1', 'nconnect=16'])] }, 'v'),
    publishOf(
      { ...shared, subdir: 'pvc-1', 'storage.kubernetes.io/csiProvisionerIdentity': '1-n1-nfs.csi.k8s.io' },
      {
        volumeId: '$volume:v',
        volumeCapability: capability('MULTI_NODE_MULTI_WRITER', ['nfsvers=4.1', 'nconnect=16']),
      },
    ),
    { call: 'NodeGetVolumeStats', request: { volumeId: '$volume:v', volumePath: '$targets/t1' } },
    { call: 'NodeUnpublishVolume', request: { volumeId: '$volume:v', targetPath: '$targets/t1' } },
    remove('$volume:v'),
  ]),
]
