// Rules as vendors write them, and as nobody should: what both masters are given.

const apiVersion = 'nfd.k8s-sigs.io/v1alpha1'

function object(name: string, ...rules: readonly object[]) {
  return { apiVersion, kind: 'NodeFeatureRule', metadata: { name }, spec: { rules } }
}

const anyOf = (...features: readonly object[]) => features.map(feature => ({ matchFeatures: [feature] }))
const has = (feature: string, matchExpressions: object) => ({ feature, matchExpressions })
const exists = { op: 'Exists' }

/** In an order of names that matters: later ones see what earlier ones gave. */
export const vendorRules = [
  object(
    'a-intel-devices',
    {
      name: 'intel.gpu',
      labels: { 'intel.feature.node.kubernetes.io/gpu': 'true' },
      matchFeatures: [has('pci.device', { vendor: { op: 'In', value: ['8086'] }, class: { op: 'In', value: ['0300', '0380'] } })],
      matchAny: anyOf(
        has('kernel.loadedmodule', { i915: exists }),
        has('kernel.enabledmodule', { xe: exists }),
        has('kernel.enabledmodule', { i915: exists }),
      ),
    },
    {
      name: 'intel.gpu.generic.deviceid',
      labelsTemplate:
        '{{ range .pci.device }}gpu.intel.com/device-id.{{ .class }}-{{ .device }}.present=true\n{{ end }}gpu.intel.com/device-id.0300-{{ (index .pci.device 0).device }}.count={{ len .pci.device }}',
      matchFeatures: [
        has('pci.device', { class: { op: 'In', value: ['0300'] }, vendor: { op: 'In', value: ['8086'] }, device: exists }),
      ],
    },
    {
      name: 'intel.sgx',
      labels: { 'intel.feature.node.kubernetes.io/sgx': 'true' },
      extendedResources: { 'sgx.intel.com/epc': '@cpu.security.sgx.epc' },
      matchFeatures: [has('cpu.cpuid', { SGX: exists, SGXLC: exists }), has('cpu.security', { 'sgx.enabled': { op: 'IsTrue' } })],
    },
  ),
  object(
    'b-cards',
    {
      name: 'nvidia or amd',
      labels: { 'vendor.example.com/gpu.present': 'true', 'kubernetes.io/refused': 'yes', unprefixed: 'yes' },
      annotations: { 'vendor.example.com/by': 'b-cards', 'vendor.example.com/long': 'x'.repeat(1_025), plain: 'note' },
      extendedResources: { 'vendor.example.com/cards': '1k', 'vendor.example.com/bad': 'many', slots: '3' },
      taints: [
        { key: 'vendor.example.com/only', value: 'gpu', effect: 'NoSchedule' },
        { key: 'vendor.example.com/wrong', effect: 'Nope' },
        { key: 'kubernetes.io/refused', effect: 'NoSchedule' },
      ],
      vars: { card: 'yes' },
      matchFeatures: [has('pci.device', { class: { op: 'InRegexp', value: ['^03'] }, vendor: { op: 'NotIn', value: ['8086'] } })],
    },
    {
      name: 'fails',
      labels: { never: 'true' },
      labelsTemplate: '{{ .missing.thing }}',
      matchFeatures: [{ feature: 'pci.device' }],
    },
    {
      name: 'after a failure',
      labels: {
        'vendor.example.com/after': 'true',
        'vendor.example.com/model': '@cpu.model.family',
        'vendor.example.com/none': '@cpu.model.nothing',
      },
      matchFeatures: [has('rule.matched', { card: { op: 'In', value: ['yes'] } })],
    },
  ),
  object('c-all', {
    name: 'everybody',
    labels: { everybody: 'true', 'sub.feature.node.kubernetes.io/x': '1', 'profile.node.kubernetes.io/p': '1' },
    taints: [{ key: 'feature.node.kubernetes.io/soft', effect: 'PreferNoSchedule' }],
  }),
  object('d-system', {
    name: 'kernel',
    labels: { 'vendor.example.com/kernel-6': 'true' },
    matchFeatures: [
      has('kernel.version', { full: { op: 'Ge', value: ['6.1'], type: 'version' }, major: { op: 'GtLt', value: ['5', '7'] } }),
    ],
    matchAny: anyOf(
      { feature: 'kernel.config', matchName: { op: 'InRegexp', value: ['^NO_HZ'] } },
      has('storage.block', { rotational: { op: 'In', value: ['0'] } }),
    ),
  }),
] as const
