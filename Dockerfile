# The binary that `cargo xtask release` made, and nothing else: docs/install.md
FROM scratch
COPY target/dist/image/THIRD-PARTY-LICENSES.txt /
COPY packaging/container.toml /etc/scrimp/scrimp.toml
# A new volume takes its owner from here.
COPY --chown=65532:65532 target/dist/image/data /var/lib/scrimp
COPY target/dist/image/scrimp /usr/bin/scrimp
ENV SCRIMP_DATA=/var/lib/scrimp
VOLUME /var/lib/scrimp
EXPOSE 4100
USER 65532:65532
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s CMD ["/usr/bin/scrimp", "doctor", "--running"]
ENTRYPOINT ["/usr/bin/scrimp"]
CMD ["serve", "--config", "/etc/scrimp/scrimp.toml"]
