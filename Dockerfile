# Endomask's images.
#   docker build -t endomask .                        the CPU service
#   docker build -t endomask:gpu --target gpu .       the same on CUDA
# deploy/check_image.sh builds the first without a Docker engine and runs it.

# Any base will do that has Python 3.11 or newer, or whose apt has it.
ARG BASE_IMAGE=python:3.12-slim-bookworm
# ONNX Runtime's CUDA provider is built against CUDA 13 and cuDNN 9; the base brings both.
ARG GPU_BASE_IMAGE=nvidia/cuda:13.0.1-cudnn-runtime-ubuntu24.04

FROM ${BASE_IMAGE} AS cpu-python
COPY deploy/image_python.sh /tmp/
RUN sh /tmp/image_python.sh

FROM ${GPU_BASE_IMAGE} AS gpu-python
COPY deploy/image_python.sh /tmp/
RUN sh /tmp/image_python.sh

FROM cpu-python AS cpu-packages
WORKDIR /build
COPY pyproject.toml constraints.txt ./
COPY deploy/requirements.py deploy/image_packages.sh deploy/
RUN sh deploy/image_packages.sh --cpu

FROM gpu-python AS gpu-packages
WORKDIR /build
COPY pyproject.toml constraints.txt ./
COPY deploy/requirements.py deploy/image_packages.sh deploy/
RUN sh deploy/image_packages.sh

FROM gpu-python AS gpu
COPY --from=gpu-packages /opt/endomask /opt/endomask
WORKDIR /app
COPY LICENSE ./
COPY service service
COPY models models
ENV ENDOMASK_HOST=0.0.0.0 ENDOMASK_PORT=8000 ENDOMASK_DATA_DIR=/data ENDOMASK_MODELS_DIR=/app/models ENDOMASK_PROVIDER=cuda \
    PYTHONPATH=/app PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 MPLCONFIGDIR=/tmp/matplotlib \
    NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility,video
RUN python3 -m compileall -q service && mkdir /data && chown 10001:10001 /data
USER 10001:10001
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s \
    CMD ["/opt/endomask/bin/python", "-c", "import os, urllib.request as u; u.urlopen(f'http://127.0.0.1:{os.environ[\"ENDOMASK_PORT\"]}/livez', timeout=4)"]
ENTRYPOINT ["/opt/endomask/bin/python", "-m", "service"]
CMD ["serve"]

FROM cpu-python AS service
COPY --from=cpu-packages /opt/endomask /opt/endomask
WORKDIR /app
COPY LICENSE ./
COPY service service
COPY models models
ENV ENDOMASK_HOST=0.0.0.0 ENDOMASK_PORT=8000 ENDOMASK_DATA_DIR=/data ENDOMASK_MODELS_DIR=/app/models \
    PYTHONPATH=/app PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 MPLCONFIGDIR=/tmp/matplotlib
RUN python3 -m compileall -q service && mkdir /data && chown 10001:10001 /data
USER 10001:10001
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s \
    CMD ["/opt/endomask/bin/python", "-c", "import os, urllib.request as u; u.urlopen(f'http://127.0.0.1:{os.environ[\"ENDOMASK_PORT\"]}/livez', timeout=4)"]
ENTRYPOINT ["/opt/endomask/bin/python", "-m", "service"]
CMD ["serve"]
