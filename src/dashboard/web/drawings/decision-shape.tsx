import type { Decision } from '../../contract.ts'
import './drawings.css'

/** The sign of a decision as a shape of 12 by 12 pixels around a point. */
export function DecisionShape({ decision, x, y }: { decision: Decision; x: number; y: number }) {
  const place = `translate(${x} ${y})`
  switch (decision) {
    case 'granted':
      return <circle class="drawings-granted" transform={place} r={5} />
    case 'queued':
      return (
        <g class="drawings-queued" transform={place}>
          <circle r={5} class="drawings-hollow" />
          <path d="M0 0V-5A5 5 0 0 1 5 0Z" />
        </g>
      )
    case 'denied':
      return <path class="drawings-denied" transform={place} d="M-4.5 -4.5L4.5 4.5M-4.5 4.5L4.5 -4.5" />
    case 'coalesced':
      return <path class="drawings-merged" transform={place} d="M-5 -4.5L5 4.5V-4.5L-5 4.5Z" />
    case 'observed':
      return <circle class="drawings-observed drawings-hollow" transform={place} r={4.5} />
    case 'no-op':
    case 'dropped':
      return <path class="drawings-nothing" transform={place} d="M-5 0H5" />
  }
}
