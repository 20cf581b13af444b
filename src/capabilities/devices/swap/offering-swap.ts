// What swaps of device plugins have in common: which role of our agents offers in their place, and how a kubelet's word of it is heard.

const healthPort = 8083

export const offeringSwap = {
  part: {
    kind: 'offering',
    component: 'agent',
    role: 'devices',
    healthPort,
    isRegistered: (readiness: string, resource: string) => readiness.includes(`[+]device-plugin-${resource} ok`),
  },
  does: 'offers devices',
} as const
