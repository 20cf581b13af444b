// An object of each kind that a real server takes: what is generated is made of these by a change or two. References need not lead anywhere,
// and nothing here rules over other kinds: webhooks and policies match a group that nobody serves.
type Body = Readonly<Record<string, unknown>>

interface Base {
  /** With `{{n}}`, `{{address}}` or `{{third}}`, where the kind wants names of a shape. */
  readonly name?: string
  readonly object: Body
}

const labels = { app: 'a', life: '{{n}}' }
const selector = { matchLabels: { app: 'a' } }
const container = { name: 'c', image: 'registry.example/a:1' }
const podSpec = { automountServiceAccountToken: false, containers: [container] }
const template = { metadata: { labels }, spec: podSpec }
const jobTemplate = { metadata: { labels }, spec: { ...podSpec, restartPolicy: 'Never' } }
const nobodys = { apiGroups: ['nobody.example.com'], apiVersions: ['v1'], operations: ['CREATE'], resources: ['things'] }
const webhook = {
  name: 'a.nobody.example.com',
  admissionReviewVersions: ['v1'],
  sideEffects: 'None',
  clientConfig: { url: 'https://nobody.example.com/' },
  rules: [nobodys],
}
const claimSpec = { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } }
const deviceClaim = { devices: { requests: [{ name: 'a', exactly: { deviceClassName: 'a.example.com' } }] } }
const account = { kind: 'ServiceAccount', name: 'a', namespace: 'default' }

/** A request for a certificate of `CN=a`, made once with OpenSSL (ECDSA, prime256v1). */
const certificateRequest =
  'LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0KTUlIR01HNENBUUF3RERFS01BZ0dBMVVFQXd3QllUQlpNQk1HQnlxR1NNNDlBZ0VHQ0NxR1NNNDlBd0VIQTBJQQpCR3A0NHpDVzRpbDJlQ1JUSHZuVzlzUWpDS2g2dW5ScjluY0hQWG1Iek1TWXFrdWZKaDVqR0NseUdETUNCR0oyCnFlNjUrM0RyckVwcnRuSzUrWU81MStpZ0FEQUtCZ2dxaGtqT1BRUURBZ05JQURCRkFpQWNrZURvRkdwVUdiZjAKem5kMHA5NlhMVFlCY2JYak4rRmhpRXlndHlpNmp3SWhBTVM5VEUwbDhlMUp4bFFOcHNmaXczZ2JubDJMcjdvawpCNmJJbkhhYlh3M1EKLS0tLS1FTkQgQ0VSVElGSUNBVEUgUkVRVUVTVC0tLS0tCg=='

/** By `Kind.group`; a kind without a row gets what its schema requires. */
export const bases: Readonly<Record<string, Base>> = {
  ConfigMap: { object: { data: { a: 'b' } } },
  Secret: { object: { data: { a: 'Yg==' } } },
  Endpoints: { object: { subsets: [{ addresses: [{ ip: '10.1.2.3' }], ports: [{ port: 80 }] }] } },
  Event: {
    object: { involvedObject: { kind: 'Pod', name: 'a', namespace: '{{namespace}}' }, reason: 'R', message: 'm', type: 'Normal' },
  },
  'Event.events.k8s.io': {
    object: {
      eventTime: '2026-01-01T00:00:00.000000Z',
      reportingController: 'example.com/a',
      reportingInstance: 'a',
      action: 'Do',
      reason: 'R',
      type: 'Normal',
      regarding: { kind: 'Pod', name: 'a', namespace: '{{namespace}}' },
    },
  },
  LimitRange: { object: { spec: { limits: [{ type: 'Container', max: { cpu: '2' } }] } } },
  Namespace: { object: {} },
  Node: { object: { spec: {}, status: { capacity: { cpu: '4', memory: '8Gi', pods: '110' } } } },
  PersistentVolumeClaim: { object: { spec: claimSpec } },
  PersistentVolume: {
    object: { spec: { capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'], hostPath: { path: '/a' } } },
  },
  Pod: { object: { spec: podSpec } },
  PodTemplate: { object: { template } },
  ReplicationController: { object: { spec: { replicas: 1, selector: { app: 'a' }, template } } },
  ResourceQuota: { object: { spec: { hard: { 'count/nothings.nobody.example.com': '1' } } } },
  ServiceAccount: { object: {} },
  Service: { object: { spec: { selector: { app: 'a' }, ports: [{ port: 80 }] } } },
  'APIService.apiregistration.k8s.io': {
    name: 'v1.{{n}}.example.com',
    object: {
      spec: {
        group: '{{n}}.example.com',
        version: 'v1',
        groupPriorityMinimum: 100,
        versionPriority: 10,
        service: { name: 'a', namespace: '{{namespace}}' },
        insecureSkipTLSVerify: true,
      },
    },
  },
  'ControllerRevision.apps': { object: { data: { a: 1 }, revision: 1 } },
  'DaemonSet.apps': { object: { spec: { selector, template } } },
  'Deployment.apps': { object: { spec: { replicas: 1, selector, template } } },
  'ReplicaSet.apps': { object: { spec: { replicas: 1, selector, template } } },
  'StatefulSet.apps': { object: { spec: { replicas: 1, serviceName: 'a', selector, template } } },
  'HorizontalPodAutoscaler.autoscaling': {
    object: { spec: { maxReplicas: 3, scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'a' } } },
  },
  'CronJob.batch': { object: { spec: { schedule: '0 4 * * *', jobTemplate: { spec: { template: jobTemplate } } } } },
  'Job.batch': { object: { spec: { template: jobTemplate } } },
  'CertificateSigningRequest.certificates.k8s.io': {
    object: { spec: { request: certificateRequest, signerName: 'example.com/a', usages: ['client auth'] } },
  },
  'IngressClass.networking.k8s.io': { object: { spec: { controller: 'example.com/a' } } },
  'Ingress.networking.k8s.io': {
    object: {
      spec: {
        rules: [
          {
            host: 'a.example.com',
            http: { paths: [{ path: '/', pathType: 'Prefix', backend: { service: { name: 'a', port: { number: 80 } } } }] },
          },
        ],
      },
    },
  },
  'IPAddress.networking.k8s.io': {
    name: '{{address}}',
    object: { spec: { parentRef: { group: '', resource: 'services', namespace: '{{namespace}}', name: 'a' } } },
  },
  'NetworkPolicy.networking.k8s.io': {
    object: { spec: { podSelector: { matchLabels: { app: 'a' } }, ingress: [{ ports: [{ port: 80 }] }] } },
  },
  'ServiceCIDR.networking.k8s.io': { object: { spec: { cidrs: ['192.168.{{third}}.0/24'] } } },
  'PodDisruptionBudget.policy': { object: { spec: { selector, maxUnavailable: 1 } } },
  'ClusterRoleBinding.rbac.authorization.k8s.io': {
    object: { roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'a' }, subjects: [account] },
  },
  'ClusterRole.rbac.authorization.k8s.io': {
    object: { rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['get'] }] },
  },
  'RoleBinding.rbac.authorization.k8s.io': {
    object: { roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'a' }, subjects: [account] },
  },
  'Role.rbac.authorization.k8s.io': { object: { rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['get'] }] } },
  'CSIDriver.storage.k8s.io': { object: { spec: { attachRequired: false } } },
  'CSINode.storage.k8s.io': { object: { spec: { drivers: [{ name: 'a.example.com', nodeID: 'a', topologyKeys: ['a'] }] } } },
  'CSIStorageCapacity.storage.k8s.io': { object: { storageClassName: 'a', capacity: '1Gi' } },
  'StorageClass.storage.k8s.io': { object: { provisioner: 'example.com/a' } },
  'VolumeAttachment.storage.k8s.io': {
    object: { spec: { attacher: 'a.example.com', nodeName: 'a', source: { persistentVolumeName: 'a' } } },
  },
  'VolumeAttributesClass.storage.k8s.io': { object: { driverName: 'a.example.com', parameters: { a: 'b' } } },
  'MutatingWebhookConfiguration.admissionregistration.k8s.io': { object: { webhooks: [webhook] } },
  'ValidatingWebhookConfiguration.admissionregistration.k8s.io': { object: { webhooks: [webhook] } },
  'ValidatingAdmissionPolicy.admissionregistration.k8s.io': {
    object: { spec: { matchConstraints: { resourceRules: [nobodys] }, validations: [{ expression: 'true' }] } },
  },
  'ValidatingAdmissionPolicyBinding.admissionregistration.k8s.io': {
    object: { spec: { policyName: 'nobodys-{{n}}', validationActions: ['Deny'] } },
  },
  'MutatingAdmissionPolicy.admissionregistration.k8s.io': {
    object: {
      spec: {
        matchConstraints: { resourceRules: [nobodys] },
        reinvocationPolicy: 'Never',
        mutations: [{ patchType: 'JSONPatch', jsonPatch: { expression: '[JSONPatch{op: "remove", path: "/a"}]' } }],
      },
    },
  },
  'MutatingAdmissionPolicyBinding.admissionregistration.k8s.io': { object: { spec: { policyName: 'nobodys-{{n}}' } } },
  'CustomResourceDefinition.apiextensions.k8s.io': {
    name: 'things.{{n}}.example.com',
    object: {
      spec: {
        group: '{{n}}.example.com',
        scope: 'Namespaced',
        names: { plural: 'things', singular: 'thing', kind: 'Thing', listKind: 'ThingList' },
        versions: [
          {
            name: 'v1',
            served: true,
            storage: true,
            schema: {
              openAPIV3Schema: {
                type: 'object',
                properties: { spec: { type: 'object', properties: { a: { type: 'string' } } } },
              },
            },
          },
        ],
      },
    },
  },
  'PriorityClass.scheduling.k8s.io': { object: { value: 1000 } },
  'Lease.coordination.k8s.io': { object: { spec: { holderIdentity: 'a', leaseDurationSeconds: 15 } } },
  'RuntimeClass.node.k8s.io': { object: { handler: 'a' } },
  'EndpointSlice.discovery.k8s.io': {
    object: { addressType: 'IPv4', endpoints: [{ addresses: ['10.1.2.3'] }], ports: [{ name: 'a', port: 80 }] },
  },
  'DeviceClass.resource.k8s.io': { object: { spec: { selectors: [{ cel: { expression: 'true' } }] } } },
  'ResourceClaim.resource.k8s.io': { object: { spec: deviceClaim } },
  'ResourceClaimTemplate.resource.k8s.io': { object: { spec: { spec: deviceClaim } } },
  'ResourceSlice.resource.k8s.io': {
    object: {
      spec: {
        driver: 'a.example.com',
        nodeName: 'a',
        pool: { name: 'a', generation: 1, resourceSliceCount: 1 },
        devices: [{ name: 'a' }],
      },
    },
  },
  'FlowSchema.flowcontrol.apiserver.k8s.io': {
    object: {
      spec: {
        matchingPrecedence: 9000,
        priorityLevelConfiguration: { name: 'global-default' },
        rules: [
          {
            subjects: [{ kind: 'User', user: { name: 'nobody' } }],
            resourceRules: [{ verbs: ['get'], apiGroups: ['nobody.example.com'], resources: ['things'], clusterScope: true }],
          },
        ],
      },
    },
  },
  'PriorityLevelConfiguration.flowcontrol.apiserver.k8s.io': {
    object: { spec: { type: 'Limited', limited: { nominalConcurrencyShares: 1, limitResponse: { type: 'Reject' } } } },
  },
  'TokenReview.authentication.k8s.io': { object: { spec: { token: 'a' } } },
  'SubjectAccessReview.authorization.k8s.io': {
    object: { spec: { user: 'nobody', resourceAttributes: { verb: 'get', resource: 'pods' } } },
  },
  'SelfSubjectAccessReview.authorization.k8s.io': {
    object: { spec: { resourceAttributes: { verb: 'get', resource: 'pods' } } },
  },
  'LocalSubjectAccessReview.authorization.k8s.io': {
    object: { spec: { user: 'nobody', resourceAttributes: { namespace: '{{namespace}}', verb: 'get', resource: 'pods' } } },
  },
  'SelfSubjectRulesReview.authorization.k8s.io': { object: { spec: { namespace: '{{namespace}}' } } },
}

const volumeSources =
  'awsElasticBlockStore azureDisk azureFile cephfs cinder csi fc flexVolume flocker gcePersistentDisk glusterfs hostPath iscsi local nfs photonPersistentDisk portworxVolume quobyte rbd scaleIO storageos vsphereVolume'

/** Fields of which an object has one: where they lie, and their names. A change that sets one takes the others away. */
export const rivals: Readonly<Record<string, readonly (readonly [holder: string, names: readonly string[]])[]>> = {
  PersistentVolume: [['spec', volumeSources.split(' ')]],
  'VolumeAttachment.storage.k8s.io': [['spec.source', ['persistentVolumeName', 'inlineVolumeSpec']]],
  'PodDisruptionBudget.policy': [['spec', ['minAvailable', 'maxUnavailable']]],
  'MutatingWebhookConfiguration.admissionregistration.k8s.io': [['webhooks.0.clientConfig', ['url', 'service']]],
  'ValidatingWebhookConfiguration.admissionregistration.k8s.io': [['webhooks.0.clientConfig', ['url', 'service']]],
  'SubjectAccessReview.authorization.k8s.io': [['spec', ['resourceAttributes', 'nonResourceAttributes']]],
  'SelfSubjectAccessReview.authorization.k8s.io': [['spec', ['resourceAttributes', 'nonResourceAttributes']]],
  'PriorityLevelConfiguration.flowcontrol.apiserver.k8s.io': [['spec', ['limited', 'exempt']]],
  'Ingress.networking.k8s.io': [['spec.rules.0.http.paths.0.backend', ['service', 'resource']]],
  'ResourceSlice.resource.k8s.io': [['spec', ['nodeName', 'nodeSelector', 'allNodes', 'perDeviceNodeSelection']]],
}

/** Values by the name of a field, where a real server wants more than a word. */
// biome-ignore format: a table
export const wellKnown: Readonly<Record<string, unknown>> = {
  containerPort: 80, port: 80, targetPort: 80, hostPort: 80, nodePort: 30100, number: 80, healthCheckNodePort: 30101, endPort: 90,
  mountPath: '/m', path: '/a', devicePath: '/d', image: 'registry.example/a:1', topologyKey: 'kubernetes.io/hostname',
  ip: '10.1.2.3', hostIP: '10.1.2.4', clusterIP: 'None', cidr: '10.1.0.0/16', url: 'https://a.example.com/', expression: 'true',
  driver: 'a.example.com', host: 'a.example.com', server: 'a.example.com', schedule: '0 4 * * *', timeZone: 'Europe/Berlin',
  maxSkew: 1, minDomains: 1, weight: 1, effect: 'NoSchedule', protocol: 'TCP', signerName: 'example.com/a', resource: 'limits.cpu',
  fieldPath: 'metadata.name', monitors: ['a:1'], operator: 'Exists', defaultMode: 0o644, mode: 0o400, fieldRef: { fieldPath: 'metadata.name' },
  expirationSeconds: 3600, conditionType: 'example.com/a', iqn: 'iqn.2026-01.com.example:a', targetPortal: '10.1.2.3:3260', apiVersion: 'v1',
  admissionReviewVersions: ['v1'], sideEffects: 'None', versions: ['v1'], volumeMode: 'Filesystem', externalName: 'a.example.com',
  externalIPs: ['1.2.3.4'], loadBalancerIP: '1.2.3.4', loadBalancerSourceRanges: ['10.0.0.0/8'], nodeSelectorTerms: [{ matchExpressions: [{ key: 'a', operator: 'Exists' }] }],
  podCIDR: '10.2.0.0/24', podCIDRs: ['10.2.0.0/24'], accessModes: ['ReadWriteOnce'], uid: 'b7e2c9f4-9a55-4a9e-9d5c-3f6f0a1f3c11',
  finalizers: ['example.com/held'], scopes: ['Terminating'], sysctls: [{ name: 'kernel.shm_rmid_forced', value: '1' }],
  controller: true, deviceClassName: 'a.example.com', namespaces: ['a'], verbs: ['get'], resources: ['pods'], apiGroups: ['a.example.com'], nonResourceURLs: ['/a'],
}
