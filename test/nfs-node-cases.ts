// NodePublishVolume, NodeUnpublishVolume, NodeGetVolumeStats.

import type { DriverCase, Step } from './nfs-driver-cases.ts'
import { accessModes, capability, publish, publishOf, shared, spellings, unpublish } from './nfs-requests.ts'

const base = 'candlekeep/kubernetes'
const volumeId = 'candlekeep#kubernetes#pvc-1##'
const stats = (fields: Readonly<Record<string, string>>): Step => ({ call: 'NodeGetVolumeStats', request: fields })

/** Published, and taken back. */
const round = (name: string, step: Step, more: Partial<DriverCase> = {}): DriverCase => ({
  name,
  shares: [`${base}/pvc-1`, `${base}/media/plex`],
  steps: [step, unpublish()],
  ...more,
})

const withoutEach = ['volumeCapability', 'volumeId', 'targetPath', 'volumeContext'] as const

export const nodeCases: readonly DriverCase[] = [
  {
    name: '25: fields that are missing, alone and in pairs',
    steps: [
      ...withoutEach.map(field => publish({}, { [field]: undefined })),
      ...withoutEach.flatMap((one, at) =>
        withoutEach.slice(at + 1).map(other => publish({}, { [one]: undefined, [other]: undefined })),
      ),
      publish({}, { volumeCapability: undefined, volumeId: undefined, targetPath: undefined, volumeContext: undefined }),
      publishOf({ server: 'candlekeep' }),
      publishOf({ share: '/kubernetes' }),
      publishOf({ server: '', share: '' }),
      publishOf({ server: 'candlekeep', share: '' }),
      publishOf({ mountPermissions: '9' }),
      publish({ share: '..' }, { targetPath: undefined }),
    ],
  },
  ...spellings('server').map(key => round(`context ${key}`, publishOf({ [key]: 'candlekeep', share: '/kubernetes' }))),
  ...spellings('share').map(key => round(`context ${key}`, publishOf({ server: 'candlekeep', [key]: '/kubernetes' }))),
  ...spellings('subDir').map(key => round(`context ${key}`, publish({ [key]: 'pvc-1' }))),
  ...spellings('mountOptions').map(key => round(`context ${key}`, publish({ [key]: 'hard' }))),
  ...spellings('mountPermissions').map(key => round(`context ${key}`, publish({ [key]: '0750' }))),
  round(
    'unknown keys of the context',
    publish({ foo: 'bar', 'storage.kubernetes.io/csiProvisionerIdentity': 'x', onDelete: 'nonsense' }),
  ),
  round(
    'an inline volume',
    publish({
      'csi.storage.k8s.io/ephemeral': 'true',
      'csi.storage.k8s.io/pod.name': 'p',
      'csi.storage.k8s.io/pod.namespace': 'n',
    }),
  ),
  {
    name: '26: addresses of IPv6',
    shares: ['fd00::1/share', '::1/share', 'fe80::1%eth0/share', '10.0.0.1/share'],
    steps: ['fd00::1', '[fd00::1]', '::1', 'fe80::1%eth0', '10.0.0.1', 'FD00::1', 'fd00::zz'].flatMap(server => [
      publishOf({ server, share: '/share' }),
      unpublish(),
    ]),
  },
  {
    name: '27: share /',
    shares: ['candlekeep/x'],
    steps: [publishOf({ server: 'candlekeep', share: '/', subDir: 'x' }), unpublish()],
  },
  ...[
    ['/', ''],
    ['/kubernetes/', 'pvc-1'],
    ['/kubernetes//', 'pvc-1'],
    ['kubernetes', 'pvc-1'],
    ['/kubernetes', '/pvc-1'],
    ['/kubernetes', 'media/plex'],
    ['/kubernetes', 'pvc-1/'],
    ['/kubernetes', '.'],
    ['/kubernetes', 'nothing'],
    ['/nothing', ''],
    ['/kubernetes', '..'],
    ['/kubernetes', 'a/../b'],
    ['/..', 'a'],
    ['/kubernetes/../x', ''],
    ['/kubernetes', '...'],
    ['/kubernetes', 'a\\..\\b'],
    ['/kubernetes', 'a\nb'],
    ['/kubernetes', 'a b'],
    ['/kubernetes', 'a,b'],
  ].map(([share = '', subDir = '']) =>
    round(`share ${JSON.stringify(share)}, subDir ${JSON.stringify(subDir)}`, publishOf({ server: 'candlekeep', share, subDir })),
  ),
  round(
    'placeholders are expanded again',
    publish({
      subDir: `\${pvc.metadata.namespace}/\${pvc.metadata.name}`,
      'csi.storage.k8s.io/pvc/name': 'plex',
      'csi.storage.k8s.io/pvc/namespace': 'media',
    }),
  ),
  round('placeholders without values', publish({ subDir: `\${pvc.metadata.namespace}` })),
  round(
    'a placeholder that leads out',
    publish({ subDir: `\${pvc.metadata.namespace}`, 'csi.storage.k8s.io/pvc/namespace': '..' }),
  ),
  round(
    '28: readonly, flags, options of the context',
    publish(
      { mountOptions: 'hard' },
      { readonly: true, volumeCapability: capability('MULTI_NODE_MULTI_WRITER', ['nfsvers=4.1', 'nconnect=16']) },
    ),
  ),
  ...[
    { flags: [] as string[], context: '', readonly: false },
    { flags: [], context: '', readonly: true },
    { flags: [], context: 'nfsvers=4.1,nconnect=16', readonly: false },
    { flags: ['ro'], context: 'rw', readonly: true },
    { flags: ['hard', 'hard'], context: 'hard', readonly: false },
    { flags: ['nonsense'], context: '', readonly: false },
    { flags: [], context: 'nonsense', readonly: false },
    { flags: [], context: 'hard,,soft', readonly: false },
    { flags: [], context: ' hard', readonly: false },
    { flags: [], context: 'hard\nsuid', readonly: false },
    { flags: ['bind'], context: '', readonly: false },
    { flags: [], context: 'bind', readonly: false },
    { flags: [], context: 'remount', readonly: false },
    { flags: ['_netdev'], context: 'nofail', readonly: false },
    { flags: ['sec=krb5'], context: '', readonly: false },
  ].map(({ flags, context, readonly }) =>
    round(
      `flags ${JSON.stringify(flags)}, options ${JSON.stringify(context)}${readonly ? ', readonly' : ''}`,
      publish({ mountOptions: context }, { readonly, volumeCapability: capability('MULTI_NODE_MULTI_WRITER', flags) }),
    ),
  ),
  ...accessModes.map(mode => round(`access mode ${mode}`, publish({}, { volumeCapability: capability(mode) }))),
  round('a block volume', publish({}, { volumeCapability: { block: {}, accessMode: { mode: 'SINGLE_NODE_WRITER' } } })),
  round('a capability without anything', publish({}, { volumeCapability: {} })),
  round(
    'a volume mount group',
    publish({}, { volumeCapability: { mount: { volumeMountGroup: '1000' }, accessMode: { mode: 'SINGLE_NODE_WRITER' } } }),
  ),
  round('secrets count for nothing', publish({}, { secrets: { mountOptions: 'nfsvers=3' } })),
  round('a staging path counts for nothing', publish({}, { stagingTargetPath: '/staging', publishContext: { server: 'other' } })),
  ...['', '0', '0777', '02770', '01777', '0750', '07ab', '8', '-1'].map(mountPermissions =>
    round(`mountPermissions ${JSON.stringify(mountPermissions)}`, publish({ subDir: 'pvc-1', mountPermissions })),
  ),
  round("the driver's mountPermissions", publish({ subDir: 'pvc-1' }), { flags: ['--mount-permissions=511'] }),
  round("the context's 0 before the driver's", publish({ subDir: 'pvc-1', mountPermissions: '0' }), {
    flags: ['--mount-permissions=511'],
  }),
  {
    name: '29: mounted already',
    shares: [`${base}/pvc-1`],
    steps: [
      publish(),
      publish(),
      publish({ subDir: 'pvc-1' }),
      publish({}, { volumeId: 'other' }),
      publish({ server: 'nobody' }),
      unpublish(),
      unpublish(),
    ],
  },
  {
    name: 'one volume at two targets',
    steps: [publish(), publish({}, { targetPath: '$targets/t2' }), unpublish(), unpublish('$targets/t2')],
  },
  {
    name: '40: a single writer at two targets',
    steps: [
      publish({}, { volumeCapability: capability('SINGLE_NODE_SINGLE_WRITER') }),
      publish({}, { volumeCapability: capability('SINGLE_NODE_SINGLE_WRITER'), targetPath: '$targets/t2' }),
      publish({}, { volumeCapability: capability('SINGLE_NODE_SINGLE_WRITER') }),
      unpublish(),
      unpublish('$targets/t2'),
    ],
  },
  {
    name: 'targets of all kinds',
    steps: [
      { plant: { 'targets:there': {}, 'targets:with/data': 'kept', 'targets:file': 'file', 'targets:link': { to: 'there' } } },
      ...['there', 'with', 'file', 'link', 'deep/er/still', 'with space', 'ünï'].flatMap(name => [
        publish({}, { targetPath: `$targets/${name}` }),
        unpublish(`$targets/${name}`),
      ]),
    ],
  },
  {
    name: '32: nothing to unpublish',
    steps: [
      { plant: { 'targets:empty': {}, 'targets:with/data': 'kept', 'targets:file': 'file', 'targets:link': { to: 'empty' } } },
      unpublish('$targets/nothing'),
      unpublish('$targets/empty'),
      unpublish('$targets/with'),
      unpublish('$targets/file'),
      unpublish('$targets/link'),
      unpublish('relative'),
    ],
  },
  {
    name: 'unpublished: fields that are missing',
    steps: [
      unpublish('', {}),
      unpublish('$targets/t1', { volumeId: undefined }),
      unpublish('$targets/t1', { volumeId: '' }),
      unpublish('', { volumeId: undefined }),
    ],
  },
  {
    name: 'mounted twice over each other',
    steps: [publish(), { restart: [] }, publish(), unpublish(), unpublish()],
  },
  {
    name: 'umount fails',
    steps: [
      publish(),
      { tell: 'umount', told: { fail: 'umount: target is busy.' } },
      unpublish(),
      { tell: 'umount', told: undefined },
      unpublish(),
    ],
  },
  {
    name: 'two calls for one target at once',
    steps: [
      { tell: 'candlekeep', told: { hang: true } },
      {
        begin: publish(),
        waitsFor: 'mount.nfs',
        meanwhile: [
          publish(),
          unpublish(),
          publish({ server: 'nobody' }, { targetPath: '$targets/t2' }),
          publish({ server: 'nobody' }, { volumeId: 'other', targetPath: '$targets/t3' }),
          { call: 'Probe', request: {} },
        ],
      },
      publish(),
      unpublish(),
    ],
  },
  {
    name: 'two calls for one target at once, while it is taken back',
    steps: [
      publish(),
      { tell: 'umount', told: { hang: true } },
      { begin: unpublish(), waitsFor: 'umount', meanwhile: [publish(), unpublish()] },
      unpublish(),
    ],
  },
  {
    name: 'what a server may answer',
    steps: [
      ...[
        'mount.nfs: access denied by server while mounting candlekeep:/kubernetes',
        'mount.nfs: Connection timed out for candlekeep:/kubernetes on /x',
        'mount.nfs: Stale file handle for candlekeep:/kubernetes on /x',
        'mount.nfs: invalid argument',
        'mount.nfs: Permission denied for candlekeep:/kubernetes on /x',
      ].flatMap((fail): Step[] => [{ tell: 'candlekeep', told: { fail } }, publish()]),
      { tell: 'candlekeep', told: undefined },
      publish({ server: 'nobody' }),
      publish(),
      unpublish(),
    ],
  },
  {
    name: '31: a mount that hangs',
    isSlow: true,
    steps: [
      { tell: 'candlekeep', told: { hang: true } },
      publish(),
      publish(),
      { call: 'Probe', request: {} },
      unpublish(),
      { tell: 'candlekeep', told: undefined },
    ],
  },
  {
    name: '33 and more: figures of volumes',
    shares: [`${base}/pvc-1`],
    steps: [
      stats({ volumePath: '$targets/t1' }),
      stats({ volumeId }),
      stats({}),
      stats({ volumeId, volumePath: '/not/a/real/directory' }),
      stats({ volumeId, volumePath: '$targets/t1' }),
      publish({ subDir: 'pvc-1' }),
      stats({ volumeId, volumePath: '$targets/t1' }),
      stats({ volumeId, volumePath: '/not/a/real/directory' }),
      stats({ volumeId: 'other', volumePath: '$targets' }),
      stats({ volumeId: 'relative', volumePath: 'relative' }),
      unpublish(),
      stats({ volumeId, volumePath: '$targets/t1' }),
    ],
  },
  {
    name: 'figures of a file and a link',
    steps: [
      { plant: { 'targets:file': 'x', 'targets:link': { to: 'nowhere' } } },
      stats({ volumeId: 'a', volumePath: '$targets/file' }),
      stats({ volumeId: 'b', volumePath: '$targets/link' }),
    ],
  },
  {
    name: 'a driver that ended leaves its mounts',
    steps: [publish(shared), { restart: [] }, publish(shared), stats({ volumeId, volumePath: '$targets/t1' }), unpublish()],
  },
]
