# The command line, without torch and with nothing to download at run time:
#   docker build -t occlumark .
#   docker run --rm --network none -v "$PWD:/data" -u "$(id -u):$(id -g)" occlumark detect family.jpg --out faces.jpg
FROM python:3.11-slim
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY occlumark occlumark
RUN pip install --no-cache-dir . && rm -rf /source
# Whoever runs it may write to /data, which is theirs; nothing else has to be written.
RUN useradd --create-home occlumark
USER occlumark
WORKDIR /data
ENTRYPOINT ["occlumark"]
CMD ["--help"]
