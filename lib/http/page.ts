import securityHeaders from "@middy/http-security-headers";

/** The security headers of a page for browsers. The page adds its own content security policy. */
export function pageHeaders() {
  return securityHeaders({
    // The middleware can't leave out its directive `sandbox`, which disables scripts.
    contentSecurityPolicy: false,
    // Its list has names that browsers warn about.
    permissionsPolicy: false,
    // Whether other hosts of the domain use HTTPS is not for this page to decide.
    strictTransportSecurity: { includeSubDomains: false, preload: false },
  });
}
