// When our certificates end, for whoever wants to be told before.
import { Gauge, type Registry } from 'prom-client'
import { certificateLife } from './certificates.ts'

interface Kept {
  readonly leaf: { readonly certificate: string }
  readonly authority: { readonly certificate: string }
  readonly next?: { readonly certificate: string }
}

/** Registers the gauge; `current` is asked whenever metrics are read. Once for each registry: its name is taken then. */
export function certificateMetrics(registry: Registry, current: () => Kept | undefined): void {
  new Gauge({
    name: 'ballast_certificate_expiry_timestamp_seconds',
    help: 'When a certificate that is served with, or trusted by, ends',
    labelNames: ['name'],
    registers: [registry],
    collect() {
      this.reset()
      const state = current()
      const pems = { leaf: state?.leaf.certificate, authority: state?.authority.certificate, next: state?.next?.certificate }
      for (const [name, pem] of Object.entries(pems))
        if (pem !== undefined) this.set({ name }, certificateLife(pem).notAfterMs / 1_000)
    },
  })
}
