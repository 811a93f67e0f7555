/** What a careless report would run, link, hide or turn around. */
export const hostile = {
  script: "<script>alert(1)</script>",
  image: '"><img src=x onerror=alert(1)>',
  closing: "</script><!--<svg onload=alert(1)>-->",
  lines: "line\u2028separator\u2029here",
  override: "cat\u202egnp.exe",
  terminal: "\u001b[31mred\u001b[0m\u0007",
  markdown: "[click](javascript:alert(1)) `x` | @everyone #1 **bold** http://evil.example/",
  proto: "__proto__",
  long: "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft".repeat(3),
} as const;
