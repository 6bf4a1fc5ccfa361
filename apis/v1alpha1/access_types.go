// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// Access says how a server lets us in. Secrets are read in the namespace of the
// Rollout or run whenever a measurement is taken, so that a new content counts
// from the next one on; none of it is written anywhere.
type Access struct {
	// bearer is a token to send.
	// +optional
	Bearer *SecretSource `json:"bearer,omitempty"`
	// basic is a user and a password to send.
	// +optional
	Basic *BasicAuth `json:"basic,omitempty"`
	// headers to send along, such as a tenant's X-Scope-OrgID.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=16
	Headers []Header `json:"headers,omitempty"`
	// tls of an https address.
	// +optional
	TLS *TLSAccess `json:"tls,omitempty"`
}

// SecretSource takes a value from a Secret.
type SecretSource struct {
	// secretKeyRef names the Secret and the key within it.
	SecretKeyRef SecretKeyRef `json:"secretKeyRef"`
}

// BasicAuth is a user with a password.
type BasicAuth struct {
	// username as it is.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Username string `json:"username"`
	// password from a Secret.
	Password SecretSource `json:"password"`
}

// Header is one HTTP header.
//
// +kubebuilder:validation:XValidation:rule="has(self.value) != has(self.valueFrom)",message="headers: set exactly one of value and valueFrom"
type Header struct {
	// name of the header.
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9!#$%&'*+.^_|~-]+$`
	// +kubebuilder:validation:MaxLength=128
	Name string `json:"name"`
	// value as it is.
	// +optional
	// +kubebuilder:validation:Pattern=`^[\t\x20-\x7e]*$`
	// +kubebuilder:validation:MaxLength=1024
	Value *string `json:"value,omitempty"`
	// valueFrom takes the value from a Secret.
	// +optional
	ValueFrom *SecretSource `json:"valueFrom,omitempty"`
}

// TLSAccess says whom to trust, and who we are.
//
// +kubebuilder:validation:XValidation:rule="has(self.certificate) == has(self.key)",message="tls: certificate and key belong together; set both or neither"
type TLSAccess struct {
	// ca signed the server's certificate, in PEM. Default: the authorities that the controller's image knows.
	// +optional
	CA *SecretSource `json:"ca,omitempty"`
	// certificate to show, in PEM.
	// +optional
	Certificate *SecretSource `json:"certificate,omitempty"`
	// key of the certificate, in PEM.
	// +optional
	Key *SecretSource `json:"key,omitempty"`
	// serverName that the server's certificate must have. Default: the host of the address.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	ServerName string `json:"serverName,omitempty"`
	// insecureSkipVerify trusts whoever answers. Whoever can stand between then reads the credentials.
	// +optional
	InsecureSkipVerify bool `json:"insecureSkipVerify,omitempty"`
}
