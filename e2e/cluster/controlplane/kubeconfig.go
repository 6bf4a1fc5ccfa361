// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"fmt"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
)

// contextName is the one context, cluster and user of every kubeconfig we write.
const contextName = "sluice"

// WriteKubeconfig writes a kubeconfig with which the user reaches the server,
// a URL such as https://127.0.0.1:6443.
func (c *Credentials) WriteKubeconfig(path, server string, user User) error {
	config := api.NewConfig()
	config.Clusters[contextName] = &api.Cluster{Server: server, CertificateAuthorityData: c.CAData()}
	config.AuthInfos[contextName] = &api.AuthInfo{Token: c.Token(user)}
	config.Contexts[contextName] = &api.Context{Cluster: contextName, AuthInfo: contextName, Namespace: "default"}
	config.CurrentContext = contextName
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		return fmt.Errorf("writing the kubeconfig of %s: %w", user.Name, err)
	}
	return nil
}
