// Trees of machines that nobody has: what a worker reads of `/sys`, `/proc`, `/etc` and `/lib`, made up from what such machines show.

/** Content of a file, or where a link leads; a directory that is empty has none. */
type Entry = string | { readonly link: string } | { readonly directory: true }

export interface Tree {
  readonly name: string
  readonly about: string
  readonly files: Readonly<Record<string, Entry>>
  /** The text of nfd-worker.conf. */
  readonly config?: string
}

const kernel = '6.12.25-talos'

interface PciDevice {
  readonly at: string
  readonly class: string
  readonly vendor: string
  readonly device: string
  readonly subsystem?: string
  readonly more?: Readonly<Record<string, string>>
}

/** PCI devices lie elsewhere, and the bus has links to them, as in sysfs. */
function pci(...devices: readonly PciDevice[]): Record<string, Entry> {
  const files: Record<string, Entry> = { 'sys/bus/pci/devices': { directory: true } }
  for (const { at, class: of, vendor, device, subsystem = '1043:8694', more = {} } of devices) {
    const [subVendor = '', subDevice = ''] = subsystem.split(':')
    const place = `sys/devices/pci0000:00/${at}`
    files[`sys/bus/pci/devices/${at}`] = { link: `../../../devices/pci0000:00/${at}` }
    files[`${place}/class`] = `0x${of}\n`
    files[`${place}/vendor`] = `0x${vendor}\n`
    files[`${place}/device`] = `0x${device}\n`
    files[`${place}/subsystem_vendor`] = `0x${subVendor}\n`
    files[`${place}/subsystem_device`] = `0x${subDevice}\n`
    for (const [name, value] of Object.entries(more)) files[`${place}/${name}`] = value
  }
  return files
}

function processors(count: number, { threads = 1, sockets = 1, base = '' } = {}): Record<string, Entry> {
  const files: Record<string, Entry> = { 'sys/devices/system/cpu/online': `0-${count - 1}\n` }
  for (let cpu = 0; cpu < count; cpu += 1) {
    const place = `sys/bus/cpu/devices/cpu${cpu}`
    const sibling = (cpu + count / 2) % count
    const pair = [cpu, sibling].sort((a, b) => a - b).join(',')
    files[`${place}/topology/thread_siblings_list`] = threads > 1 ? `${pair}\n` : `${cpu}\n`
    files[`${place}/topology/physical_package_id`] = `${Math.floor(cpu / (count / sockets))}\n`
    if (base !== '') files[`${place}/cpufreq/base_frequency`] = `${base}\n`
  }
  return files
}

function net(name: string, { device = false, speed = '', mtu = '1500', state = 'up', vfs = '' } = {}): Record<string, Entry> {
  const place = `sys/class/net/${name}`
  return {
    [`${place}/operstate`]: `${state}\n`,
    [`${place}/mtu`]: `${mtu}\n`,
    ...(speed === '' ? {} : { [`${place}/speed`]: `${speed}\n` }),
    ...(device ? { [`${place}/device/vendor`]: '0x8086\n' } : {}),
    ...(vfs === ''
      ? {}
      : {
          [`${place}/device/sriov_totalvfs`]: `${vfs.split('/')[1]}\n`,
          [`${place}/device/sriov_numvfs`]: `${vfs.split('/')[0]}\n`,
        }),
  }
}

function disk(name: string, rotational: string): Record<string, Entry> {
  const queue = `sys/block/${name}/queue`
  return {
    [`${queue}/rotational`]: `${rotational}\n`,
    [`${queue}/dax`]: '0\n',
    [`${queue}/nr_zones`]: '0\n',
    [`${queue}/zoned`]: 'none\n',
  }
}

interface UsbDevice {
  readonly at: string
  readonly class: string
  readonly id: string
  readonly serial?: string
  readonly interfaces?: readonly string[]
}

function usb(...devices: readonly UsbDevice[]): Record<string, Entry> {
  const files: Record<string, Entry> = {}
  for (const { at, class: of, id, serial, interfaces = [] } of devices) {
    const [vendor = '', product = ''] = id.split(':')
    const place = `sys/bus/usb/devices/${at}`
    files[`${place}/bDeviceClass`] = `${of}\n`
    files[`${place}/idVendor`] = `${vendor}\n`
    files[`${place}/idProduct`] = `${product}\n`
    if (serial !== undefined) files[`${place}/serial`] = `${serial}\n`
    for (const [index, one] of interfaces.entries()) {
      files[`${place}/${at}:1.${index}/bInterfaceClass`] = `${one}\n`
      files[`sys/bus/usb/devices/${at}:1.${index}/bInterfaceClass`] = `${one}\n`
    }
  }
  return files
}

function firmware(vendor: string, product: string): Record<string, Entry> {
  const place = 'sys/devices/virtual/dmi/id'
  return {
    [`${place}/sys_vendor`]: `${vendor}\n`,
    [`${place}/product_name`]: `${product}\n`,
    [`${place}/bios_version`]: '1.04 \n',
    [`${place}/chassis_type`]: '3\n',
    [`${place}/board_asset_tag`]: '\n',
  }
}

function system({
  release = kernel,
  modules = [] as readonly string[],
  builtIn = [] as readonly string[],
  os = talos,
} = {}): Record<string, Entry> {
  return {
    'etc/os-release': os,
    'proc/sys/kernel/osrelease': `${release}\n`,
    'proc/modules': modules.map(name => `${name} 16384 0 - Live 0x0000000000000000\n`).join(''),
    [`lib/modules/${release}/modules.builtin`]: builtIn.map(name => `kernel/drivers/${name}.ko\n`).join(''),
    [`boot/config-${release}`]:
      '# a comment\nCONFIG_NO_HZ=y\nCONFIG_NO_HZ_IDLE=y\nCONFIG_HZ=250\nCONFIG_PREEMPT=m\nCONFIG_VERSION_TEXT="gcc 14 "quoted""\n# CONFIG_NO_HZ_FULL is not set\n',
    'proc/swaps': 'Filename\t\t\t\tType\t\tSize\n',
    'sys/fs/cgroup/cgroup.controllers': 'cpu memory\n',
    'sys/bus/node/devices/node0/numastat': 'numa_hit 1\n',
    'sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages': '0\n',
    ...net('lo', { mtu: '65536', state: 'unknown' }),
  }
}

const talos = 'NAME="Talos"\nID=talos\nVERSION_ID=v1.10.1\nPRETTY_NAME="Talos (v1.10.1)"\nHOME_URL="https://www.talos.dev/"\n'
const ubuntu = 'PRETTY_NAME=\'Ubuntu 24.04.1 LTS\'\nID=ubuntu\nID_LIKE=debian\nVERSION_ID="24.04"\nEMPTY=\n'
const debian = 'ID=debian\nVERSION_ID="12"\n'

const intelGraphics = { at: '0000:00:02.0', class: '030000', vendor: '8086', device: '7d51' }
const ethernet = { at: '0000:00:1f.6', class: '020000', vendor: '8086', device: '15fb' }
const kvm: Record<string, Entry> = { 'sys/devices/virtual/misc/kvm/dev': '10:232\n' }

function frequencies(count: number, governor: string): Record<string, Entry> {
  const files: Record<string, Entry> = {
    'sys/devices/system/cpu/intel_pstate/status': 'active\n',
    'sys/devices/system/cpu/intel_pstate/no_turbo': '0\n',
    'sys/devices/system/cpu/cpuidle/current_driver': 'intel_idle\n',
    'sys/module/intel_idle/parameters/max_cstate': '9\n',
  }
  for (let policy = 0; policy < count; policy += 1) {
    const place = `sys/devices/system/cpu/cpufreq/policy${policy}`
    files[`${place}/affected_cpus`] = `${policy}\n`
    files[`${place}/scaling_governor`] = `${governor}\n`
  }
  return files
}

const featureFiles: Record<string, Entry> = {
  'etc/kubernetes/node-feature-discovery/features.d/10-plain':
    'plain\nexample.com/value=5\n  spaced = x \n# a comment\n=nothing\n',
  'etc/kubernetes/node-feature-discovery/features.d/20-directives':
    '# +no-label\nhidden=1\nshown=2\n# +no-feature\nlabel-only=3\n# +expiry-time=2001-01-01T00:00:00Z\nold=1\n# +expiry-time=2099-01-01T00:00:00+01:00\nnew\n# +expiry-time=tomorrow\nstill\n# +unknown\nlast=1\n',
  'etc/kubernetes/node-feature-discovery/features.d/30-overrides': `shown=3\nplain=false\nbad value=1\nlong=${'x'.repeat(70)}\n`,
  'etc/kubernetes/node-feature-discovery/features.d/.hidden': 'secret=1\n',
  'etc/kubernetes/node-feature-discovery/features.d/too-long': `big=1\n${'# filler\n'.repeat(8_000)}`,
  'etc/kubernetes/node-feature-discovery/features.d/folder/inside': 'inside=1\n',
}

const customFiles: Record<string, Entry> = {
  'etc/kubernetes/node-feature-discovery/custom.d/10-good.yaml':
    '- name: nvme\n  labels: {"example.com/nvme": "true"}\n  vars: {disk: fast}\n  matchFeatures:\n    - feature: storage.block\n      matchExpressions: {name: {op: InRegexp, value: ["^nvme"]}}\n',
  'etc/kubernetes/node-feature-discovery/custom.d/20-bad.yaml': '- name: x\n  label: {a: b}\n',
  'etc/kubernetes/node-feature-discovery/custom.d/sub/30-after.yaml':
    '- name: after\n  labelsTemplate: |\n    {{ range .pci.device }}example.com/vendor-{{ .vendor }}=here\n    {{ end }}\n  matchFeatures:\n    - feature: rule.matched\n      matchExpressions: {disk: [fast, slow]}\n    - feature: pci.device\n      matchExpressions: [vendor]\n',
  'etc/kubernetes/node-feature-discovery/custom.d/sub/sub/40-deep.yaml': '- name: deep\n  labels: {"example.com/deep": "true"}\n',
}

const manyKeys = `core:
  labelWhiteList: "^(cpu-model|pci|usb|fake|chosen|kernel-config|by)"
  noPublishFeatures: ["kernel.*", "storage.block", "nothing.such"]
  featureSources: [all, fake, -network, nonsense]
  labelSources: [all, fake, -storage]
  sleepInterval: 0s
sources:
  cpu:
    cpuid:
      attributeWhitelist: [AVX]
  kernel:
    kconfigFile: /etc/kernel.conf.gz
    configOpts: [HZ, PREEMPT, MISSING]
  pci:
    deviceClassWhitelist: ["0200", "03", "12"]
    deviceLabelFields: [device, class, bogus]
  usb:
    deviceClassWhitelist: ["ff", "0E"]
    deviceLabelFields: [serial, vendor]
  fake:
    labels: {chosen: "yes", "example.com/chosen-too": "1"}
    flagFeatures: [one]
    attributeFeatures: {size: "9"}
    instanceFeatures: [{name: first}]
  custom:
    - name: short forms
      labels: {"by-short-forms": "true"}
      matchFeatures:
        - feature: kernel.config
          matchExpressions: {HZ: ["100", "250"], PREEMPT: m, NO_HZ: }
        - feature: fake.attribute
          matchExpressions: {size: {op: Gt, value: 8}}
    - name: list of names
      labels: {"by-names": "true"}
      matchFeatures:
        - feature: fake.flag
          matchExpressions: [one]
        - feature: fake.attribute
          matchExpressions: ["size=9"]
    - name: by name alone
      labels: {"by-name-alone": "true"}
      matchFeatures:
        - feature: cpu.model
          matchName: {op: InRegexp, value: "^fam"}
    - name: no such
      labels: {"by-none": "true"}
      matchAny:
        - matchFeatures: [{feature: fake.flag, matchExpressions: [two]}]
        - matchFeatures: [{feature: no.such}]
`

/** All trees, by name. */
export const trees: readonly Tree[] = [
  {
    name: 'intel-desktop',
    about: 'an Intel processor with threads, its graphics by i915, a webcam, two disks',
    files: {
      ...system({ modules: ['i915', 'e1000e', 'snd_hda_intel'], builtIn: ['gpu/drm/xe/xe', 'vfio/vfio-pci'] }),
      ...processors(16, { threads: 2 }),
      ...frequencies(4, 'powersave'),
      ...pci(intelGraphics, ethernet, { at: '0000:01:00.0', class: '010802', vendor: '144d', device: 'a80a' }),
      ...usb(
        { at: '1-1', class: 'ef', id: '046d:0825', serial: 'A1B2' },
        { at: '1-2', class: '00', id: '046d:c31c', interfaces: ['03', '03'] },
      ),
      ...net('eno1', { device: true, speed: '1000' }),
      ...net('docker0', { state: 'down' }),
      ...disk('nvme0n1', '0'),
      ...disk('sda', '1'),
      ...firmware('ASUS', 'System Product Name'),
      ...kvm,
    },
  },
  {
    name: 'amd-desktop',
    about: 'an AMD processor, graphics by amdgpu, swap',
    files: {
      ...system({ release: '6.8.0-45-generic', modules: ['amdgpu', 'kvm_amd'], os: ubuntu }),
      ...processors(24, { threads: 2 }),
      ...pci(
        { at: '0000:0a:00.0', class: '030000', vendor: '1002', device: '744c' },
        { at: '0000:0a:00.1', class: '040300', vendor: '1002', device: 'ab30' },
      ),
      ...net('enp5s0', { device: true, speed: '2500' }),
      ...disk('nvme0n1', '0'),
      ...firmware('Gigabyte', 'X670'),
      'proc/swaps': 'Filename\t\t\t\tType\t\tSize\n/swap.img file 8388604\n\n',
      'sys/module/kvm_amd/parameters/sev': 'N\n',
      'sys/devices/system/cpu/cpuidle/current_driver': 'acpi_idle\n',
      ...kvm,
    },
  },
  {
    name: 'nuc',
    about: 'a small machine with four cores, xe built in, turbo off',
    files: {
      ...system({ builtIn: ['gpu/drm/xe/xe', 'gpu/drm/i915/i915', 'noise.txt'] }),
      ...processors(4),
      ...pci({ at: '0000:00:02.0', class: '038000', vendor: '8086', device: '46d1' }),
      ...net('eth0', { device: true }),
      ...disk('mmcblk0', '0'),
      ...firmware('Intel(R) Client Systems', 'NUC11ATKC4'),
      'sys/devices/system/cpu/intel_pstate/status': 'passive\n',
      'sys/devices/system/cpu/intel_pstate/no_turbo': '1\n',
      'sys/devices/system/cpu/cpuidle/current_driver': 'intel_idle\n',
      'sys/module/intel_idle/parameters/max_cstate': '0\n',
    },
  },
  {
    name: 'server',
    about: 'two sockets, huge pages, virtual functions, RDMA, persistent memory, guests with encrypted memory',
    files: {
      ...system({ modules: ['ib_uverbs', 'rdma_ucm', 'mlx5_core'] }),
      ...processors(8, { sockets: 2, base: '2100000' }),
      ...pci(
        { at: '0000:3b:00.0', class: '020000', vendor: '15b3', device: '101d', more: { sriov_totalvfs: '8\n' } },
        {
          at: '0000:6a:00.0',
          class: '0b4000',
          vendor: '8086',
          device: '4940',
          more: { sriov_totalvfs: '16\n', 'iommu_group/type': 'DMA-FQ\n', 'iommu/intel-iommu/version': '5:0\n' },
        },
        { at: '0000:6b:00.0', class: '120000', vendor: '1ed2', device: '0001' },
      ),
      ...net('ens1f0', { device: true, speed: '100000', vfs: '4/8' }),
      ...net('ens1f1', { device: true, speed: '-1', state: 'down', vfs: '0/8' }),
      ...net('bond0', { speed: '200000' }),
      'sys/class/net/bonding_masters': 'bond0\n',
      ...disk('sda', '1'),
      'sys/bus/node/devices/node1/numastat': 'numa_hit 1\n',
      'sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages': '512\n',
      'sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages': '0\n',
      'sys/kernel/mm/hugepages/hugepages-64kB/nr_hugepages': '1\n',
      'sys/kernel/mm/hugepages/hugepages-oddkB/nr_hugepages': '1\n',
      'sys/kernel/mm/hugepages/a-file': '1\n',
      'sys/bus/nd/devices/dax0.0/devtype': 'nd_dax\n',
      'sys/bus/nd/devices/namespace0.0/devtype': 'nd_namespace_io\n',
      'sys/bus/nd/devices/namespace0.0/mode': 'raw\n',
      'sys/module/kvm_amd/parameters/sev': 'Y\n',
      'sys/module/kvm_amd/parameters/sev_es': '1\n',
      'sys/module/kvm_amd/parameters/sev_snp': 'Y\n',
      'sys/module/kvm_intel/parameters/tdx': 'Y\n',
      'sys/fs/cgroup/misc.capacity': 'sev 410\nsev_es 99\ntdx 31\n',
      'sys/fs/selinux/enforce': '1',
      'sys/fs/resctrl/info/L3/num_closids': '16\n',
      ...firmware('Dell Inc.', 'PowerEdge R760'),
      ...kvm,
    },
  },
  {
    name: 'board',
    about: 'a board without PCI, USB and firmware that says what it is',
    files: {
      ...system({ release: '6.6.31+rpt-rpi-v8', os: debian }),
      ...processors(4),
      ...net('end0', { device: true, speed: '1000' }),
      ...disk('mmcblk0', '0'),
    },
  },
  {
    name: 'vm',
    about: 'a guest of virtio without any frequency',
    files: {
      ...system({ release: '5.15.0-1078.el9+x~', builtIn: ['virtio_net'] }),
      ...processors(2, { sockets: 2 }),
      ...pci({ at: '0000:00:03.0', class: '020000', vendor: '1af4', device: '1000', subsystem: '1af4:0001' }),
      ...net('eth0', { device: true, speed: '-1' }),
      ...disk('vda', '1'),
      ...firmware('QEMU', 'Standard PC (Q35 + ICH9, 2009)'),
    },
  },
  {
    name: 'no-gpu',
    about: 'nothing but a network card',
    files: {
      ...system(),
      ...processors(4),
      ...pci(ethernet),
      ...net('eno1', { device: true, speed: '1000' }),
      ...disk('sda', '1'),
    },
  },
  {
    name: 'two-gpus',
    about: 'graphics of the processor and a card, both of Intel',
    files: {
      ...system({ modules: ['i915', 'xe'] }),
      ...processors(8, { threads: 2 }),
      ...pci(intelGraphics, { at: '0000:03:00.0', class: '030000', vendor: '8086', device: '56a0', subsystem: '1849:6001' }),
      ...net('eno1', { device: true, speed: '1000' }),
      ...disk('nvme0n1', '0'),
      ...featureFiles,
      ...customFiles,
    },
  },
  {
    name: 'hybrid',
    about: 'cores of two kinds, which do not agree on a governor',
    files: {
      ...system(),
      ...processors(12),
      ...frequencies(2, 'performance'),
      'sys/devices/system/cpu/cpufreq/policy1/scaling_governor': 'powersave\n',
      'sys/devices/system/cpu/cpufreq/policy2/affected_cpus': '\n',
      'sys/devices/cpu_core/cpus': '0-7\n',
      'sys/devices/cpu_atom/cpus': '8-11\n',
      ...pci(intelGraphics),
      ...net('eno1', { device: true }),
      ...disk('nvme0n1', '0'),
    },
  },
  {
    name: 'vgpu',
    about: 'graphics shared out in virtual functions',
    files: {
      ...system({ modules: ['i915'] }),
      ...processors(4),
      ...pci(
        { ...intelGraphics, more: { sriov_totalvfs: '7\n' } },
        { ...intelGraphics, at: '0000:00:02.1' },
        { ...intelGraphics, at: '0000:00:02.2' },
      ),
      ...net('eno1', { device: true }),
      ...disk('nvme0n1', '0'),
    },
  },
  {
    name: 'hot-plugged',
    about: 'an accelerator on USB that came later, with interfaces of two classes',
    files: {
      ...system(),
      ...processors(4),
      ...pci(ethernet),
      ...usb(
        { at: '2-1', class: '00', id: '1a6e:089a', interfaces: ['fe', 'ff'] },
        { at: '2-2', class: '09', id: '1d6b:0003', serial: '0000:00:14.0' },
        { at: '2-3', class: '00', id: '18d1:9302' },
      ),
      ...net('eno1', { device: true }),
      ...disk('nvme0n1', '0'),
    },
  },
  {
    name: 'broken',
    about: 'links in a circle, files that are empty or missing, devices without what they must have',
    files: {
      ...system({ release: '-odd kernel-', modules: ['', 'two words'] }),
      ...processors(2),
      'sys/bus/cpu/devices/cpu9/online': '1\n',
      ...pci(ethernet, { at: '0000:00:05.0', class: '03', vendor: '', device: '', subsystem: ':' }),
      'sys/bus/pci/devices/0000:00:06.0': { link: '0000:00:06.0' },
      'sys/bus/pci/devices/0000:00:07.0/class': '0x030000\n',
      'sys/bus/usb/devices/1-1/idProduct': '\n',
      'sys/bus/usb/devices/1-1/bDeviceClass': '\n',
      ...net('weird name', { mtu: '' }),
      'sys/block/empty': { directory: true },
      'sys/block/loop0/queue': { link: 'queue' },
      'sys/kernel/mm/hugepages/hugepages-4kB': { directory: true },
      'sys/devices/system/cpu/cpuidle/current_driver': 'intel_idle\n',
      'sys/module/intel_idle/parameters/max_cstate': 'many\n',
      'sys/devices/system/cpu/intel_pstate': { directory: true },
      'sys/fs/selinux/enforce': '0',
      'sys/module/kvm_amd/parameters/sev': '',
      'sys/fs/cgroup/misc.capacity': 'sev many\n',
      'proc/swaps': '',
      'etc/os-release': 'nonsense\nID="a\'b"\nVERSION_ID=rolling\nBAD-KEY=1\n',
      'boot/config--odd kernel-': 'CONFIG_=1\nCONFIG_A\nCONFIG_B=\nCONFIG_C="\nNOT_CONFIG=1\n',
    },
  },
  { name: 'bare', about: 'nothing at all', files: { 'sys/nothing': '\n' } },
  {
    name: 'configured',
    about: 'every key of the configuration that changes what is found',
    config: manyKeys,
    files: {
      ...system({ modules: ['i915'] }),
      ...processors(4),
      ...pci(intelGraphics, ethernet),
      ...usb({ at: '1-1', class: '0e', id: '046d:0825', serial: 'S1' }, { at: '1-2', class: 'ff', id: '1a6e:089a' }),
      ...net('eno1', { device: true, vfs: '1/2' }),
      ...disk('nvme0n1', '0'),
    },
  },
]
