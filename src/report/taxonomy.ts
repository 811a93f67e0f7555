import type { Finding } from "../contract/index.ts";

/** Names of the ids that findings carry: MITRE ATLAS techniques and NIST AI 100-2 E2025 attacks. */

export interface Taxonomy {
  readonly name: string;
  readonly organization: string;
  readonly url: string;
  readonly names: Readonly<Record<string, string>>;
  /** Page of one id, or null where the taxonomy has no page for each. */
  page(id: string): string | null;
  ids(finding: Finding): readonly string[];
}

export const atlas: Taxonomy = {
  name: "MITRE ATLAS",
  organization: "MITRE",
  url: "https://atlas.mitre.org",
  names: {
    "AML.T0005": "Create Proxy AI Model",
    "AML.T0010": "AI Supply Chain Compromise",
    "AML.T0010.002": "AI Supply Chain Compromise: Data",
    "AML.T0010.003": "AI Supply Chain Compromise: Model",
    "AML.T0015": "Evade AI Model",
    "AML.T0018": "Manipulate AI Model",
    "AML.T0018.000": "Manipulate AI Model: Poison AI Model",
    "AML.T0019": "Publish Poisoned Datasets",
    "AML.T0020": "Poison Training Data",
    "AML.T0024": "Exfiltration via AI Inference API",
    "AML.T0024.000": "Infer Training Data Membership",
    "AML.T0024.001": "Invert AI Model",
    "AML.T0024.002": "Extract AI Model",
    "AML.T0029": "Denial of AI Service",
    "AML.T0031": "Erode AI Model Integrity",
    "AML.T0040": "AI Model Inference API Access",
    "AML.T0042": "Verify Attack",
    "AML.T0043": "Craft Adversarial Data",
    "AML.T0043.000": "Craft Adversarial Data: White-Box Optimization",
    "AML.T0043.001": "Craft Adversarial Data: Black-Box Optimization",
    "AML.T0043.002": "Craft Adversarial Data: Black-Box Transfer",
    "AML.T0043.003": "Craft Adversarial Data: Manual Modification",
    "AML.T0043.004": "Craft Adversarial Data: Insert Backdoor Trigger",
    "AML.T0044": "Full AI Model Access",
    "AML.T0048": "External Harms",
    "AML.T0057": "LLM Data Leakage",
    "AML.T0058": "Publish Poisoned Models",
    "AML.T0059": "Erode Dataset Integrity",
  },
  page: (id) => `https://atlas.mitre.org/techniques/${id}`,
  ids: (finding) => finding.threat.atlas,
};

export const nist: Taxonomy = {
  name: "NIST AI 100-2 E2025",
  organization: "NIST",
  url: "https://doi.org/10.6028/NIST.AI.100-2e2025",
  names: {
    "NISTAML.01": "Availability Violations",
    "NISTAML.011": "Model Poisoning (availability)",
    "NISTAML.012": "Clean-label Poisoning",
    "NISTAML.013": "Data Poisoning",
    "NISTAML.014": "Energy-latency",
    "NISTAML.02": "Integrity Violations",
    "NISTAML.021": "Clean-label Backdoor",
    "NISTAML.022": "Evasion",
    "NISTAML.023": "Backdoor Poisoning",
    "NISTAML.024": "Targeted Poisoning",
    "NISTAML.025": "Black-box Evasion",
    "NISTAML.026": "Model Poisoning (integrity)",
    "NISTAML.03": "Privacy Compromises",
    "NISTAML.031": "Model Extraction",
    "NISTAML.032": "Data Reconstruction",
    "NISTAML.033": "Membership Inference",
    "NISTAML.034": "Property Inference",
    "NISTAML.037": "Training Data Attacks",
    "NISTAML.038": "Data Extraction",
    "NISTAML.05": "Supply Chain Attacks",
    "NISTAML.051": "Model Poisoning (supply chain)",
  },
  page: () => null,
  ids: (finding) => finding.threat.nist,
};

/** The name of an id; null where the table does not have it (an own-property look-up: ids come from outside). */
export function nameOf(taxonomy: Taxonomy, id: string): string | null {
  return Object.hasOwn(taxonomy.names, id) ? taxonomy.names[id]! : null;
}
